import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { Visitor } from './world.js';

/** How a handshake went. */
export interface Handshake {
  readonly isSecure: boolean;
  /** Of the server's certificate, lower-case hex. */
  readonly serial?: string | undefined;
  readonly protocol?: string | false | null;
  readonly code?: string | undefined;
}

const VERSIONS = { '1.2': 'TLSv1.2', '1.3': 'TLSv1.3' } as const;

/** Shakes hands with Node's own client and hangs up. */
export function shakeHands(
  endpoint: string,
  { trusts, shows, version }: Visitor,
  protocols: readonly string[] = [],
): Promise<Handshake> {
  const [host = '', port] = endpoint.split(':');
  const only = version === undefined ? undefined : VERSIONS[version];
  const socket = connect({
    host,
    port: Number(port),
    ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
    ...(trusts === undefined ? { rejectUnauthorized: false } : { ca: readFileSync(trusts.caFile) }),
    ...(shows === undefined ? {} : { cert: shows.certificate, key: shows.key }),
    ...(only === undefined ? {} : { minVersion: only, maxVersion: only }),
  });
  return new Promise((resolve) => {
    socket.once('secureConnect', () => {
      const serial = socket.getPeerX509Certificate()?.serialNumber.toLowerCase();
      const { alpnProtocol } = socket;
      socket.on('error', () => {});
      socket.end();
      resolve({ isSecure: true, serial, protocol: alpnProtocol });
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve({ isSecure: false, code }));
  });
}
