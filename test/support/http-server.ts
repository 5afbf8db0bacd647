import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listenOnLoopback } from './loopback.js';

export interface TestHttpServer {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves HTTP on a free port of the loopback interface; what the handler does not want is 404. */
export async function serveHttp(
  handle: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<TestHttpServer> {
  const server = createServer((request, response) => {
    if (!handle(request, response)) response.writeHead(404).end('404 page not found\n');
  });
  const port = await listenOnLoopback(server);
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
