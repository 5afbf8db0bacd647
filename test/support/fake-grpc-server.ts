import {
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { listenOnLoopback } from './loopback.js';
import { TEST_CERTIFICATE, TEST_KEY } from './test-certificate.js';

/** What a test does with a call: it plays the server by hand. */
export type FakeHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** An HTTP/2 server that answers as a test wants. */
export interface FakeGrpcServer {
  /** `127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly sessions: readonly ServerHttp2Session[];
  close(): Promise<void>;
}

/** Starts one on a free loopback port. */
export async function startFakeServer(
  handler: FakeHandler,
  options: { readonly tls?: boolean; readonly requestCert?: boolean } = {},
): Promise<FakeGrpcServer> {
  const server =
    options.tls === true
      ? createSecureServer({
          cert: TEST_CERTIFICATE,
          key: TEST_KEY,
          requestCert: options.requestCert === true,
          rejectUnauthorized: options.requestCert === true,
        })
      : createServer();
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    // A client that goes away, or that we cut off, is not a fault of the test.
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    handler(stream, headers);
  });
  const port = await listenOnLoopback(server);
  return {
    endpoint: `127.0.0.1:${port}`,
    sessions,
    close: () =>
      new Promise((closed) => {
        for (const session of sessions) {
          session.destroy();
        }
        server.close(() => closed());
      }),
  };
}

/** Answers with messages and a status, in the usual way. */
export function answer(
  stream: ServerHttp2Stream,
  messages: readonly Uint8Array[],
  trailers: Record<string, string> = { 'grpc-status': '0' },
): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  for (const message of messages) {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([prefix, message]));
  }
  stream.end();
}

/** Answers with a status and nothing else: headers that are trailers at the same time. */
export function refuse(stream: ServerHttp2Stream, code: number, message: string): void {
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(code),
      'grpc-message': message,
    },
    { endStream: true },
  );
}
