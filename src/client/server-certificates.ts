import type { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { nodeClock } from '../platform/node-clock.js';
import { diagnoseFailure, diagnosisText } from './diagnosis.js';
import { parseEndpoints } from './endpoint.js';
import { dial, withRoots } from './transport/connect-endpoint.js';
import type { ClientTlsOptions } from './transport/connection-options.js';

/** More certificates than any chain has; stops a loop. */
const MAX_CHAIN = 10;

/** What a server shows in a TLS handshake. */
export interface ServerCertificates {
  /** The server's own first, then those that signed it, as far as they are known. */
  readonly chain: readonly X509Certificate[];
  /** Why a client would not accept it, for a person; undefined: it would. */
  readonly problem: string | undefined;
}

/**
 * Shakes hands with a server to see its certificates, whether they are trusted or not.
 * @throws Error with a diagnosis if there is no TLS server
 */
export async function serverCertificates(
  text: string,
  tls: ClientTlsOptions,
  timeoutMillis: number,
): Promise<ServerCertificates> {
  const [endpoint] = parseEndpoints([text], true);
  if (endpoint === undefined || !endpoint.secure || endpoint.target.kind === 'invalid') {
    throw new Error(`${text}: not the address of a TLS server`);
  }
  const trusted = await withRoots(endpoint, tls);
  const socket = dial(endpoint, { ...trusted, insecureSkipVerify: true });
  let timer: { cancel(): void } | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = nodeClock.setTimer(timeoutMillis, () => {
        reject(Object.assign(new Error('connection timed out'), { code: 'ETIMEDOUT' }));
      });
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('connection closed')));
      socket.once('secureConnect', resolve);
    });
    if (!(socket instanceof TLSSocket)) throw new Error('not a TLS connection');
    return { chain: chainOf(socket), problem: problemOf(text, socket.authorizationError) };
  } catch (error) {
    const cause = error instanceof Error ? error : undefined;
    throw new Error(diagnosisText(diagnoseFailure(text, 'tls', cause)), { cause });
  } finally {
    timer?.cancel();
    socket.on('error', () => {});
    socket.destroy();
  }
}

function problemOf(endpoint: string, error: unknown): string | undefined {
  if (!error) return undefined;
  const cause =
    error instanceof Error ? error : Object.assign(new Error(String(error)), { code: error });
  return diagnosisText(diagnoseFailure(endpoint, 'tls', cause));
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < MAX_CHAIN) {
    const { fingerprint256 } = certificate;
    if (chain.some((earlier) => earlier.fingerprint256 === fingerprint256)) break;
    chain.push(certificate);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
