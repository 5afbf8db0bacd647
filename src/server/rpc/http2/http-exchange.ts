import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { asBuffer, EMPTY_BYTES } from '../../../base/bytes.js';
import { encodeHeader } from '../../../base/http2/hpack.js';
import type { Timer } from '../../../platform/clock.js';
import type { CallConnection } from './http2-call.js';
import { Http2Stream } from './http2-stream.js';
import { MAX_HELD_BYTES } from './limits.js';
import type { RequestHead } from './request-head.js';

/** Octets of a request body that may wait for their reader. */
const BODY_BUFFER_BYTES = 64 * 1024;

/** Headers of HTTP/1 that have no place in HTTP/2 (RFC 9113, 8.2.2). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** A request that is no call, with what our handlers use of Node's `IncomingMessage`. */
export class ExchangeRequest extends Readable {
  readonly httpVersion = '2.0';
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: Socket;
  readonly #onWanted: () => void;

  constructor(head: RequestHead, socket: Socket, onWanted: () => void) {
    super({ highWaterMark: BODY_BUFFER_BYTES });
    this.method = head.metadata.get(':method') ?? '';
    this.url = head.path;
    this.headers = plainHeaders(head);
    this.socket = socket;
    this.#onWanted = onWanted;
  }

  override _read(): void {
    this.#onWanted();
  }
}

/** The answer, with what our handlers use of Node's `ServerResponse`. */
export class ExchangeResponse extends Writable {
  statusCode = 200;
  readonly #exchange: HttpExchange;
  readonly #fields = new Map<string, OutgoingHttpHeader>();

  constructor(exchange: HttpExchange) {
    super();
    this.#exchange = exchange;
  }

  get headersSent(): boolean {
    return this.#exchange.headersSent;
  }

  setHeader(name: string, value: OutgoingHttpHeader): this {
    this.#fields.set(name.toLowerCase(), value);
    return this;
  }

  getHeader(name: string): OutgoingHttpHeader | undefined {
    return this.#fields.get(name.toLowerCase());
  }

  hasHeader(name: string): boolean {
    return this.#fields.has(name.toLowerCase());
  }

  removeHeader(name: string): void {
    this.#fields.delete(name.toLowerCase());
  }

  writeHead(status: number, headers: OutgoingHttpHeaders = {}): this {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) this.setHeader(name, value);
    }
    return this;
  }

  flushHeaders(): void {
    this.#exchange.sendHeaders(this.statusCode, this.#fields, false);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.flushHeaders();
    this.#exchange.sendData(chunk, written);
  }

  override _final(finished: () => void): void {
    this.#exchange.sendHeaders(this.statusCode, this.#fields, true);
    this.#exchange.end();
    finished();
  }
}

/** Serves one HTTP/2 request that is no call. */
export class HttpExchange extends Http2Stream {
  readonly request: ExchangeRequest;
  readonly response: ExchangeResponse;
  headersSent = false;
  readonly #connection: CallConnection;
  readonly #date: string;
  readonly #hasBody: boolean;
  #isEnded = false;
  /** What the body takes of the memory of the connection, octets. */
  #bodyBytes = 0;
  #onWritten: (() => void) | undefined;
  /** Called when the rest of the request is in; set when its answer is out. */
  #onRest: (() => void) | undefined;
  #restTimer: Timer | undefined;

  constructor(
    id: number,
    head: RequestHead,
    connection: CallConnection,
    socket: Socket,
    nowMillis: number,
  ) {
    super(id, connection.writer.initialWindow);
    this.#connection = connection;
    this.#date = new Date(nowMillis).toUTCString();
    // Trap: a stream asks for more before it takes out what is read, and does not ask again: now it
    // may seem full, and the client would never be let send the rest.
    this.request = new ExchangeRequest(head, socket, () => {
      queueMicrotask(() => {
        this.#countBody();
        connection.replenish(this);
      });
    });
    this.response = new ExchangeResponse(this);
    this.#hasBody = this.request.method !== 'HEAD';
    // A client that goes away is no error of the handler's.
    this.request.on('error', () => this.request.destroy());
    this.response.on('error', () => this.response.destroy());
  }

  get isHolding(): boolean {
    return this.#onRest !== undefined || this.request.readableLength >= BODY_BUFFER_BYTES;
  }

  receive(bytes: Buffer, start: number, end: number): void {
    if (this.request.destroyed) return;
    if (this.#connection.heldBytes + end - start > MAX_HELD_BYTES) {
      this.request.destroy(new Error('too many incomplete requests on one connection'));
      return;
    }
    this.request.push(Buffer.from(bytes.subarray(start, end)));
    this.#countBody();
  }

  receiveEnd(): void {
    this.#onRest?.();
    if (!this.request.destroyed) this.request.push(null);
  }

  /** The answer is out: drops the rest of the request, and calls back when that has come. */
  dropRest(onRest: () => void, timer: Timer): void {
    this.#onRest = onRest;
    this.#restTimer = timer;
    this.request.destroy();
  }

  /** Sends the headers, unless they are on their way already. */
  sendHeaders(
    status: number,
    fields: ReadonlyMap<string, OutgoingHttpHeader>,
    isLast: boolean,
  ): void {
    if (this.headersSent || this.isClosed) return;
    this.headersSent = true;
    const blocks = [encodeHeader(':status', String(status))];
    for (const [name, value] of fields) {
      if (CONNECTION_HEADERS.has(name)) continue;
      const values = Array.isArray(value) ? value : [String(value)];
      for (const text of values) blocks.push(encodeHeader(name, text));
    }
    if (!fields.has('date')) blocks.push(encodeHeader('date', this.#date));
    const block = Buffer.concat(blocks);
    if (isLast) {
      this.#isEnded = true;
      this.#connection.writer.trailers(this, block);
    } else {
      this.#connection.writer.headers(this.id, block, 0);
    }
  }

  sendData(chunk: Uint8Array, written: () => void): void {
    if (this.isClosed || !this.#hasBody) {
      written();
      return;
    }
    this.#connection.writer.data(this, asBuffer(chunk));
    if (this.queue === undefined) written();
    else this.#onWritten = written;
  }

  end(): void {
    if (this.#isEnded || this.isClosed) return;
    this.#isEnded = true;
    this.#connection.writer.trailers(this, EMPTY_BYTES);
  }

  wrote(): void {
    if (this.queue !== undefined) return;
    const written = this.#onWritten;
    this.#onWritten = undefined;
    written?.();
  }

  close(): void {
    this.isClosed = true;
    this.#restTimer?.cancel();
    this.#connection.writer.drop(this);
    this.request.destroy();
    this.response.destroy();
    this.#connection.heldBytes -= this.#bodyBytes;
    this.#bodyBytes = 0;
  }

  #countBody(): void {
    if (this.isClosed) return;
    const bytes = this.request.readableLength;
    this.#connection.heldBytes += bytes - this.#bodyBytes;
    this.#bodyBytes = bytes;
  }
}

function plainHeaders({ fields }: RequestHead): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { name, value } of fields) {
    if (name === ':authority') headers.host = value;
    if (name.startsWith(':')) continue;
    const before = headers[name];
    const separator = name === 'cookie' ? '; ' : ', ';
    headers[name] = before === undefined ? value : `${before}${separator}${value}`;
  }
  return headers;
}
