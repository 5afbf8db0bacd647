import http from 'node:http';
import https, { type RequestOptions } from 'node:https';
import type { Clock } from '../../platform/clock.js';

/** Questions under way at a time; more are refused. Most are renewals of leases. */
const MAX_OPEN_REQUESTS = 10_000;

/** A question to one peer. */
export interface PeerRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** From the first try to connect to the last byte of the answer. */
  readonly timeoutMillis: number;
  /** A longer answer is an error. */
  readonly maxResponseBytes: number;
}

export interface PeerResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** How a peer is reached: protocol, address, agent and TLS of requests to a peer URL. */
export type PeerRequestOptions = (peerUrl: string) => RequestOptions;

/** A connection that had been kept was closed before there was an answer. */
class StaleConnection extends Error {
  override readonly name = 'StaleConnection';
}

/** Asks peers over HTTP, and knows what is asked and not answered yet. */
export class PeerHttpClient {
  readonly #clock: Pick<Clock, 'setTimer'>;
  readonly #optionsFor: PeerRequestOptions;
  readonly #open = new Set<http.ClientRequest>();
  #closed = false;

  constructor(clock: Pick<Clock, 'setTimer'>, optionsFor: PeerRequestOptions) {
    this.#clock = clock;
    this.#optionsFor = optionsFor;
  }

  /** @throws Error if there is no whole answer in time */
  async ask(peerUrl: string, request: PeerRequest): Promise<PeerResponse> {
    try {
      return await this.#ask(peerUrl, request);
    } catch (error) {
      // The peer closes idle connections when it likes, also in the moment when one is used again.
      if (error instanceof StaleConnection) return this.#ask(peerUrl, request);
      throw error;
    }
  }

  /** Gives up all that is not answered yet, and refuses what is asked from now on. */
  close(): void {
    this.#closed = true;
    for (const request of this.#open) request.destroy(new Error('the member is stopping'));
  }

  async #ask(peerUrl: string, asked: PeerRequest): Promise<PeerResponse> {
    if (this.#closed) throw new Error('the member is stopping');
    if (this.#open.size >= MAX_OPEN_REQUESTS) throw new Error('too many questions to peers');
    const { method, path, headers, body, timeoutMillis } = asked;
    const options = this.#optionsFor(peerUrl);
    const send = options.protocol === 'https:' ? https.request : http.request;
    const length = body === undefined ? {} : { 'Content-Length': body.length };
    const request = send({ ...options, method, path, headers: { ...headers, ...length } });
    this.#open.add(request);
    const timer = this.#clock.setTimer(timeoutMillis, () => {
      request.destroy(new Error(`no answer within ${timeoutMillis}ms`));
    });
    try {
      const answer = answerTo(request, asked.maxResponseBytes);
      // Trap: some questions are a GET with a body.
      request.end(body);
      return await answer;
    } finally {
      timer.cancel();
      this.#open.delete(request);
    }
  }
}

function answerTo(request: http.ClientRequest, maxBytes: number): Promise<PeerResponse> {
  return new Promise((resolve, reject) => {
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && error.code === 'ECONNRESET';
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length <= maxBytes) return;
        chunks.length = 0;
        request.destroy(new Error(`the answer is longer than ${maxBytes} bytes`));
      });
      // What destroyed the request says more than that its response was cut off.
      response.on('error', (error) => reject(request.errored ?? error));
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        });
      });
    });
  });
}
