import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { commonNameOf } from './client-checks.js';

/**
 * The common name in the certificate that a client showed and that was verified: the name of its
 * user where `--client-cert-auth` is on (reference: semantics 7.3). Undefined without such a
 * certificate.
 *
 * Trap: a certificate without a common name still makes a user, whose name is empty and who may
 * touch no key: permission denied, where a client without a certificate has no user name.
 */
export function verifiedCommonName(socket: Socket | TLSSocket): string | undefined {
  if (!('encrypted' in socket) || !socket.authorized) return undefined;
  const leaf = socket.getPeerX509Certificate();
  return leaf === undefined ? undefined : (commonNameOf(leaf) ?? '');
}
