import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

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
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
