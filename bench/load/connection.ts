import { connect, type Socket } from 'node:net';
import { HeaderDecoder, type HeaderField } from '../../src/base/http2/hpack.js';

const FRAME_HEADER_LENGTH = 9;
const MAX_FRAME_LENGTH = 16_384;
const GRPC_PREFIX_LENGTH = 5;
const DEFAULT_WINDOW = 65_535;
const MAX_WINDOW = 2 ** 31 - 1;
/** Octets received after which the connection's window is filled up again. */
const WINDOW_REFILL = 2 ** 29;
const READ_BUFFER_LENGTH = 256 * 1024;
const SLAB_LENGTH = 256 * 1024;

const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
const FLAG_END_STREAM = 0x1;
const FLAG_ACK = 0x1;
const FLAG_END_HEADERS = 0x4;
const FLAG_PADDED = 0x8;
const FLAG_PRIORITY = 0x20;
const SETTING_MAX_STREAMS = 3;
const SETTING_INITIAL_WINDOW = 4;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** What becomes of the streams of a connection. */
export interface StreamListener {
  /** Octets `start` to `end` of `bytes` are the next part of the stream's gRPC messages. */
  data(streamId: number, bytes: Buffer, start: number, end: number): void;
  /** The stream is over; `failure` is undefined if its gRPC status was OK. */
  end(streamId: number, failure: string | undefined): void;
  /** The connection broke, and with it every open stream. */
  broken(reason: string): void;
}

interface BlockedMessage {
  readonly streamId: number;
  readonly message: Buffer;
  readonly endStream: boolean;
}

/**
 * The client's side of one HTTP/2 connection that carries gRPC, as thin as it can be: requests are
 * copied from prepared bytes, responses are looked at no more than needed to know that they are
 * complete and successful. Everything sent is collected until {@link flush}.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #listener: StreamListener;
  readonly #decoder = new HeaderDecoder();
  #grpcStatus = '';
  #grpcMessage = '';
  #httpStatus = '';

  #slab = Buffer.allocUnsafeSlow(SLAB_LENGTH);
  #slabEnd = 0;
  #slabFlushed = 0;
  #nextStreamId = 1;
  #sendWindow = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;
  readonly #blocked: BlockedMessage[] = [];

  /** A frame of which a part has arrived. */
  readonly #partial = Buffer.allocUnsafeSlow(FRAME_HEADER_LENGTH + MAX_FRAME_LENGTH);
  #partialLength = 0;
  #receivedSinceRefill = 0;
  #continued: Buffer | undefined;
  #continuedFlags = 0;
  #isBroken = false;

  /** Streams that the server allows at once; known after the handshake. */
  maxStreams = Number.POSITIVE_INFINITY;

  private constructor(socket: Socket, listener: StreamListener) {
    this.#socket = socket;
    this.#listener = listener;
  }

  /** Connects to a port of the loopback interface and exchanges settings. */
  static open(port: number, listener: StreamListener): Promise<Connection> {
    return new Promise((resolve, reject) => {
      let connection: Connection | undefined;
      const fail = (reason: string): void => {
        reject(new Error(reason));
        if (connection !== undefined) connection.#break(reason);
      };
      const socket = connect({
        host: '127.0.0.1',
        port,
        noDelay: true,
        onread: {
          buffer: Buffer.allocUnsafeSlow(READ_BUFFER_LENGTH),
          callback: (length, buffer) => {
            try {
              if (connection !== undefined) connection.#receive(buffer as Buffer, length, resolve);
            } catch (error) {
              fail(error instanceof Error ? error.message : String(error));
            }
            return true;
          },
        },
      });
      socket.once('connect', () => {
        connection = new Connection(socket, listener);
        connection.#handshake();
      });
      socket.on('error', (error) => fail(error.message));
      socket.on('close', () => fail('connection closed'));
    });
  }

  /** Opens a stream with one request message; a unary call ends its side at once. */
  call(headers: Buffer, message: Buffer, endStream: boolean): number {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.#frame(FRAME.headers, FLAG_END_HEADERS, streamId, headers.length);
    this.#slabEnd += headers.copy(this.#slab, this.#slabEnd);
    this.send(streamId, message, endStream);
    return streamId;
  }

  /** Sends a message on an open stream, or keeps it until the server's window has room. */
  send(streamId: number, message: Buffer, endStream: boolean): void {
    const length = GRPC_PREFIX_LENGTH + message.length;
    if (length > Math.min(this.#streamWindow, MAX_FRAME_LENGTH)) {
      throw new RangeError('a request must fit into one frame and the window of a stream');
    }
    if (this.#blocked.length > 0 || length > this.#sendWindow) {
      this.#blocked.push({ streamId, message: Buffer.from(message), endStream });
      return;
    }
    this.#sendWindow -= length;
    this.#frame(FRAME.data, endStream ? FLAG_END_STREAM : 0, streamId, length);
    this.#slab[this.#slabEnd] = 0;
    this.#slab.writeUInt32BE(message.length, this.#slabEnd + 1);
    this.#slabEnd += GRPC_PREFIX_LENGTH;
    this.#slabEnd += message.copy(this.#slab, this.#slabEnd);
  }

  flush(): void {
    if (this.#slabEnd === this.#slabFlushed) return;
    this.#socket.write(this.#slab.subarray(this.#slabFlushed, this.#slabEnd));
    this.#slabFlushed = this.#slabEnd;
  }

  close(): void {
    this.#isBroken = true;
    this.#socket.destroy();
  }

  #handshake(): void {
    this.#slabEnd = this.#slab.write(PREFACE, 'latin1');
    this.#frame(FRAME.settings, 0, 0, 6);
    this.#slab.writeUInt16BE(SETTING_INITIAL_WINDOW, this.#slabEnd);
    this.#slab.writeUInt32BE(MAX_WINDOW, this.#slabEnd + 2);
    this.#slabEnd += 6;
    this.#windowUpdate(MAX_WINDOW - DEFAULT_WINDOW);
    this.flush();
  }

  /** Starts a frame; a new slab is taken if frame and payload do not fit into what is left. */
  #frame(type: number, flags: number, streamId: number, length: number): void {
    if (this.#slabEnd + FRAME_HEADER_LENGTH + length > SLAB_LENGTH) {
      this.flush();
      this.#slab = Buffer.allocUnsafeSlow(SLAB_LENGTH);
      this.#slabEnd = 0;
      this.#slabFlushed = 0;
    }
    this.#slab.writeUIntBE(length, this.#slabEnd, 3);
    this.#slab[this.#slabEnd + 3] = type;
    this.#slab[this.#slabEnd + 4] = flags;
    this.#slab.writeUInt32BE(streamId, this.#slabEnd + 5);
    this.#slabEnd += FRAME_HEADER_LENGTH;
  }

  #windowUpdate(increment: number): void {
    this.#frame(FRAME.windowUpdate, 0, 0, 4);
    this.#slabEnd = this.#slab.writeUInt32BE(increment, this.#slabEnd);
  }

  #receive(chunk: Buffer, length: number, ready: (connection: Connection) => void): void {
    if (this.#isBroken) return;
    let position = this.#completePartial(chunk, length, ready);
    while (length - position >= FRAME_HEADER_LENGTH) {
      const end = position + FRAME_HEADER_LENGTH + frameLength(chunk, position);
      if (end > length) break;
      this.#handle(chunk, position, end, ready);
      position = end;
    }
    if (position < length) {
      chunk.copy(this.#partial, 0, position, length);
      this.#partialLength = length - position;
    }
    if (!this.#isBroken) this.flush();
  }

  /** Finishes the frame that the last chunk began; the result is where the next one starts. */
  #completePartial(chunk: Buffer, length: number, ready: (open: Connection) => void): number {
    if (this.#partialLength === 0) return 0;
    let position = this.#fillPartial(chunk, 0, length, FRAME_HEADER_LENGTH);
    if (this.#partialLength < FRAME_HEADER_LENGTH) return position;
    const end = FRAME_HEADER_LENGTH + frameLength(this.#partial, 0);
    position = this.#fillPartial(chunk, position, length, end);
    if (this.#partialLength < end) return position;
    this.#partialLength = 0;
    this.#handle(this.#partial, 0, end, ready);
    return position;
  }

  #fillPartial(chunk: Buffer, position: number, length: number, wanted: number): number {
    const count = Math.min(Math.max(wanted - this.#partialLength, 0), length - position);
    chunk.copy(this.#partial, this.#partialLength, position, position + count);
    this.#partialLength += count;
    return position + count;
  }

  /** One whole frame, from its header at `start` to `end`. */
  #handle(bytes: Buffer, start: number, end: number, ready: (open: Connection) => void): void {
    const flags = bytes.readUInt8(start + 4);
    const streamId = bytes.readUInt32BE(start + 5);
    const payload = start + FRAME_HEADER_LENGTH;
    switch (bytes[start + 3]) {
      case FRAME.data:
        this.#onData(bytes, payload, end, flags, streamId);
        return;
      case FRAME.headers:
        this.#onHeaders(bytes, payload, end, flags, streamId);
        return;
      case FRAME.continuation:
        this.#onContinuation(bytes, payload, end, flags, streamId);
        return;
      case FRAME.windowUpdate:
        if (streamId === 0) this.#sendWindow += bytes.readUInt32BE(payload);
        this.#sendBlocked();
        return;
      case FRAME.settings:
        if ((flags & FLAG_ACK) === 0) {
          this.#onSettings(bytes, payload, end);
          ready(this);
        }
        return;
      case FRAME.ping:
        if ((flags & FLAG_ACK) === 0) {
          this.#frame(FRAME.ping, FLAG_ACK, 0, end - payload);
          this.#slabEnd += bytes.copy(this.#slab, this.#slabEnd, payload, end);
        }
        return;
      case FRAME.rstStream:
        this.#listener.end(streamId, `RST_STREAM, code ${bytes.readUInt32BE(payload)}`);
        return;
      case FRAME.goaway:
        throw new Error(
          `GOAWAY, code ${bytes.readUInt32BE(payload + 4)}: ${bytes.toString('latin1', payload + 8, end)}`,
        );
      case FRAME.pushPromise:
        throw new Error('PUSH_PROMISE in gRPC');
    }
  }

  #onData(bytes: Buffer, payload: number, end: number, flags: number, streamId: number): void {
    this.#receivedSinceRefill += end - payload;
    if (this.#receivedSinceRefill >= WINDOW_REFILL) {
      this.#windowUpdate(this.#receivedSinceRefill);
      this.#receivedSinceRefill = 0;
    }
    const isPadded = (flags & FLAG_PADDED) !== 0;
    const from = isPadded ? payload + 1 : payload;
    const to = isPadded ? end - bytes.readUInt8(payload) : end;
    this.#listener.data(streamId, bytes, from, to);
    if ((flags & FLAG_END_STREAM) !== 0) this.#listener.end(streamId, 'no trailers');
  }

  #onHeaders(bytes: Buffer, payload: number, end: number, flags: number, streamId: number): void {
    let from = payload;
    let to = end;
    if ((flags & FLAG_PADDED) !== 0) {
      to -= bytes.readUInt8(from);
      from += 1;
    }
    if ((flags & FLAG_PRIORITY) !== 0) from += 5;
    if ((flags & FLAG_END_HEADERS) === 0) {
      this.#continued = Buffer.from(bytes.subarray(from, to));
      this.#continuedFlags = flags;
      return;
    }
    this.#onHeaderBlock(bytes, from, to, flags, streamId);
  }

  #onContinuation(
    bytes: Buffer,
    payload: number,
    end: number,
    flags: number,
    streamId: number,
  ): void {
    if (this.#continued === undefined) throw new Error('CONTINUATION of nothing');
    const block = Buffer.concat([this.#continued, bytes.subarray(payload, end)]);
    this.#continued = block;
    if ((flags & FLAG_END_HEADERS) === 0) return;
    this.#continued = undefined;
    this.#onHeaderBlock(block, 0, block.length, this.#continuedFlags, streamId);
  }

  #onHeaderBlock(block: Buffer, start: number, end: number, flags: number, streamId: number): void {
    this.#grpcStatus = '';
    this.#grpcMessage = '';
    this.#decoder.decode(block, start, end, this.#onField);
    if ((flags & FLAG_END_STREAM) === 0) return;
    this.#listener.end(streamId, this.#grpcStatus === '0' ? undefined : this.#failure());
  }

  readonly #onField = (field: HeaderField): void => {
    if (field.name === 'grpc-status') this.#grpcStatus = field.value;
    else if (field.name === 'grpc-message') this.#grpcMessage = field.value;
    else if (field.name === ':status') this.#httpStatus = field.value;
  };

  #failure(): string {
    return this.#grpcStatus === ''
      ? `HTTP status ${this.#httpStatus} without grpc-status`
      : `gRPC status ${this.#grpcStatus}: ${this.#grpcMessage}`;
  }

  #onSettings(bytes: Buffer, payload: number, end: number): void {
    for (let position = payload; position < end; position += 6) {
      const value = bytes.readUInt32BE(position + 2);
      const setting = bytes.readUInt16BE(position);
      if (setting === SETTING_MAX_STREAMS) this.maxStreams = value;
      if (setting === SETTING_INITIAL_WINDOW) this.#streamWindow = value;
    }
    this.#frame(FRAME.settings, FLAG_ACK, 0, 0);
  }

  #sendBlocked(): void {
    const waiting = this.#blocked.splice(0);
    for (const { streamId, message, endStream } of waiting) {
      this.send(streamId, message, endStream);
    }
  }

  #break(reason: string): void {
    if (this.#isBroken) return;
    this.close();
    this.#listener.broken(reason);
  }
}

function frameLength(bytes: Buffer, start: number): number {
  const length = bytes.readUIntBE(start, 3);
  if (length > MAX_FRAME_LENGTH) throw new Error(`frame of ${length} octets`);
  return length;
}
