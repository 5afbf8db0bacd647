import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/**
 * The connection beneath a TLS connection, which Node keeps in a property that is not public. It is
 * asked for an address that the upper one forgets when it breaks, and to give its place in a set
 * to the upper one; without it only the address in a log line is missing.
 */
export function rawSocketOf(socket: TLSSocket): Socket | undefined {
  const raw: unknown = Reflect.get(socket, '_parent');
  return raw instanceof Object && 'remotePort' in raw ? (raw as Socket) : undefined;
}
