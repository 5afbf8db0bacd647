import { isIP } from 'node:net';

/** A TCP address. `host` has no brackets; empty means every interface. */
export interface HostPort {
  readonly host: string;
  readonly port: string;
}

/**
 * Splits `host:port` or `[v6]:port`; the host may be empty.
 * @throws Error with the text of Go's net package: `address X: missing port in address`,
 * `address X: too many colons in address`, `address X: missing ']' in address`.
 */
export function splitHostPort(address: string): HostPort {
  const fault = (why: string) => new Error(`address ${address}: ${why}`);
  const lastColon = address.lastIndexOf(':');
  if (lastColon < 0) throw fault('missing port in address');
  let host: string;
  if (address.startsWith('[')) {
    const end = address.indexOf(']');
    if (end < 0) throw fault("missing ']' in address");
    if (end + 1 === address.length) throw fault('missing port in address');
    if (end + 1 !== lastColon) {
      throw fault(
        address[end + 1] === ':' ? 'too many colons in address' : 'missing port in address',
      );
    }
    host = address.slice(1, end);
    if (host.includes('[')) throw fault("unexpected '[' in address");
  } else {
    host = address.slice(0, lastColon);
    if (host.includes(':')) throw fault('too many colons in address');
    if (host.includes('[')) throw fault("unexpected '[' in address");
  }
  if (address.slice(lastColon).includes(']') || host.includes(']')) {
    throw fault("unexpected ']' in address");
  }
  return { host, port: address.slice(lastColon + 1) };
}

/** `host:port`, with brackets around an IPv6 address. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The remote end of a connection as Go prints it: IPv4 addresses on a dual-stack socket in their
 * plain form, `@` for a unix socket.
 */
export function remoteAddressOf(socket: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return '@';
  return joinHostPort(remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''), remotePort ?? 0);
}

/** A listen or advertise URL of the configuration. */
export interface MemberUrl {
  readonly scheme: 'http' | 'https' | 'unix' | 'unixs';
  /** `host:port` for http and https; for unix and unixs what stands before the first slash. */
  readonly host: string;
  /** Empty for http and https. */
  readonly path: string;
  /** The URL as text, as it is printed, compared and hashed. */
  readonly text: string;
}

/** True for an IPv4 or IPv6 address without a zone. */
export function isIpAddress(host: string): boolean {
  return isIP(host) !== 0 && !host.includes('%');
}
