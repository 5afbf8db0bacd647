import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/**
 * The three things that `@grpc/grpc-js` does not offer in public. The package is pinned to an exact
 * version; each access checks its shape, so that an upgrade that moves them fails at start.
 */

/** What grpc-js keeps of a registered method. */
export interface MethodHandler {
  readonly func: () => void;
  readonly serialize: (message: Buffer) => Buffer;
  readonly deserialize: (bytes: Buffer) => Buffer;
  readonly type: 'bidi';
  readonly path: string;
}

/** A handler that passes bytes as they are; the call itself is served by an interceptor. */
export function rawHandler(path: string): MethodHandler {
  return { func: () => {}, serialize: identity, deserialize: identity, type: 'bidi', path };
}

const identity = (bytes: Buffer): Buffer => bytes;

/**
 * Replaces the look-up of methods. Why: grpc-js answers an unknown method itself, with a text of
 * its own, where etcd's clients expect Go's.
 */
export function replaceMethodLookup(server: Server, find: (path: string) => MethodHandler): void {
  const property = '_retrieveHandler';
  if (typeof Reflect.get(server, property) !== 'function') throw moved(property);
  Object.defineProperty(server, property, { value: find });
}

/** The event source of HTTP/2 sessions and streams beneath the server's only injector. */
export function http2ServerOf(server: Server): Http2Server {
  const servers: unknown = Reflect.get(server, 'http2Servers');
  if (!(servers instanceof Map) || servers.size !== 1) throw moved('http2Servers');
  const [http2Server] = servers.keys();
  return http2Server;
}

/**
 * Takes grpc-js's own listener for streams off, so that it gets only those that are for it: it would
 * answer every other request with 415.
 */
export function takeStreamListener(http2Server: Http2Server): StreamListener {
  const [listener, ...others] = http2Server.listeners('stream');
  if (listener === undefined || others.length > 0) throw moved("http2Server's stream listener");
  http2Server.removeAllListeners('stream');
  return (stream, headers, flags, rawHeaders) =>
    Reflect.apply(listener, http2Server, [stream, headers, flags, rawHeaders]);
}

export type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: readonly string[],
) => void;

function moved(property: string): Error {
  return new Error(`@grpc/grpc-js changed: Server.${property} is not what it was`);
}

/** Longest delay that a Node timer takes, milliseconds: almost 25 days. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1;

const LONG_UNITS: ReadonlyMap<string, number> = new Map([
  ['H', 3_600_000],
  ['M', 60_000],
  ['S', 1000],
]);

/**
 * Drops a deadline that no timer can hold. Trap: grpc-js computes it with 32-bit arithmetic, and a
 * client that waits a month would get DeadlineExceeded at once.
 */
export function dropEndlessDeadline(headers: IncomingHttpHeaders): void {
  const timeout = headers['grpc-timeout'];
  if (typeof timeout !== 'string') return;
  const unitMillis = LONG_UNITS.get(timeout.slice(-1));
  if (unitMillis === undefined) return;
  if (Number(timeout.slice(0, -1)) * unitMillis > MAX_TIMER_MILLIS) delete headers['grpc-timeout'];
}
