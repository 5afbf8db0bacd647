import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { isErrno } from '../../platform/errno.js';
import { nodeFs } from '../../platform/node-fs.js';
import { joinHostPort, type MemberUrl, splitHostPort } from './address.js';

/** Gap of TCP keep-alive probes (reference: server 2.8). */
const TCP_KEEP_ALIVE_MILLIS = 30_000;

/** A listener could not be bound. `message` is Go's text, e.g. `listen tcp ...: bind: ...`. */
export class ListenError extends Error {
  /** Node's code: EADDRINUSE, EACCES, ENOTFOUND, ... */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.name = 'ListenError';
    this.code = code;
  }
}

/** How a listener is opened. */
export interface ListenOptions {
  /** Connections beyond this number are closed at once; undefined: no limit. */
  readonly maxConnections?: number | undefined;
  readonly onConnection: (socket: net.Socket) => void;
}

/** A bound listener. */
export interface Listener {
  readonly url: MemberUrl;
  /** Where it listens: `host:port` with the real port, or the socket path. */
  readonly address: string;
  /** Stops accepting. Connections already accepted are not touched. */
  close(): Promise<void>;
}

/**
 * Binds a URL: TCP (IPv4, IPv6, or both for a wildcard host) or a unix socket, whose path is host
 * and path of the URL together.
 * @throws ListenError
 */
export async function listen(url: MemberUrl, options: ListenOptions): Promise<Listener> {
  return url.scheme.startsWith('unix') ? listenUnix(url, options) : listenTcp(url, options);
}

async function listenTcp(url: MemberUrl, options: ListenOptions): Promise<Listener> {
  const { host, port } = splitHostPort(url.host);
  const address = await resolve(host);
  const wildcard = address === '0.0.0.0' || address === '::';
  const server = createServer(options);
  try {
    // Trap: Go listens on IPv4 and IPv6 for either wildcard.
    await bind(server, { host: wildcard ? '::' : address, port: Number(port) });
  } catch (error) {
    if (!wildcard || !lacksIpv6(error))
      throw listenError('tcp', joinHostPort(address, port), error);
    await bind(server, { host: '0.0.0.0', port: Number(port) }).catch((second: unknown) => {
      throw listenError('tcp', joinHostPort(address, port), second);
    });
  }
  const bound = server.address();
  const realPort = typeof bound === 'object' && bound !== null ? bound.port : port;
  return { url, address: joinHostPort(address, realPort), close: () => close(server) };
}

/** The address to bind for a host; as in Go, `localhost` means IPv4 where there is a choice. */
async function resolve(host: string): Promise<string> {
  if (host === '') return '::';
  if (net.isIP(host) !== 0) return host;
  try {
    const addresses = await lookup(host, { all: true });
    const chosen = addresses.find(({ family }) => family === 4) ?? addresses[0];
    if (chosen !== undefined) return chosen.address;
  } catch (error) {
    if (codeOf(error) !== 'ENOTFOUND') throw listenError('tcp', host, error);
  }
  throw new ListenError(`listen tcp: lookup ${host}: no such host`, 'ENOTFOUND');
}

async function listenUnix(url: MemberUrl, options: ListenOptions): Promise<Listener> {
  const path = url.host + url.path;
  // A socket file that a killed server left behind would make every later bind fail.
  await removeSocket(path);
  const server = createServer(options);
  try {
    await bind(server, { path });
  } catch (error) {
    throw listenError('unix', path, error);
  }
  return { url, address: path, close: () => close(server) };
}

function createServer(options: ListenOptions): net.Server {
  const server = net.createServer(
    // `allowHalfOpen`: an HTTP client may close its side and still wait for the answer.
    {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MILLIS,
      allowHalfOpen: true,
    },
    options.onConnection,
  );
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;
  return server;
}

function bind(server: net.Server, target: net.ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...target, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    // The callback waits for connections, which have owners of their own; 'close' is not awaited.
    server.close();
    resolve();
  });
}

const SYSTEM_TEXTS: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'bind: address already in use'],
  ['EACCES', 'bind: permission denied'],
  ['EADDRNOTAVAIL', 'bind: cannot assign requested address'],
  ['ENOENT', 'bind: no such file or directory'],
  ['ENAMETOOLONG', 'bind: invalid argument'],
  ['EINVAL', 'bind: invalid argument'],
  ['EMFILE', 'socket: too many open files'],
  ['EAFNOSUPPORT', 'socket: address family not supported by protocol'],
]);

function listenError(network: 'tcp' | 'unix', address: string, error: unknown): ListenError {
  const code = codeOf(error);
  const text = SYSTEM_TEXTS.get(code) ?? (error instanceof Error ? error.message : String(error));
  return new ListenError(`listen ${network} ${address}: ${text}`, code);
}

function lacksIpv6(error: unknown): boolean {
  return ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Removes the socket that an earlier server left. */
async function removeSocket(path: string): Promise<void> {
  try {
    await nodeFs.remove(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
