import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  FLAG_ACK,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FrameType,
  Http2Code,
  MAX_WINDOW_BYTES,
  Setting,
} from '../../../base/http2/frames.js';
import type { Timer } from '../../../platform/clock.js';
import { remoteAddressOf } from '../../http/address.js';
import { verifiedCommonName } from '../../tls/verified-common-name.js';
import type { PingPolicy } from '../ping-policy.js';
import type { Http2Listener } from '../transport-options.js';
import { ConnectionError } from './connection-error.js';
import { ControlWriter } from './control-writer.js';
import { type FrameSink, FrameSplitter } from './frame-splitter.js';
import { HeaderReader, paddingOf, type ReadHeaders } from './header-reader.js';
import { HttpExchange } from './http-exchange.js';
import type { CallConnection } from './http2-call.js';
import type { Http2Stream } from './http2-stream.js';
import {
  CONNECTION_WINDOW_BYTES,
  LATE_BODY_MILLIS,
  LINGER_MILLIS,
  MAX_HELD_BYTES,
  MAX_IDLE_FRAMES,
  MAX_RESETS,
  RateBudget,
  SOCKET_CHOKED_BYTES,
  STREAM_BYTES,
  STREAM_WINDOW_BYTES,
} from './limits.js';
import { Outgoing } from './outgoing.js';
import type { RequestHead } from './request-head.js';
import { refusalHeaders } from './response-headers.js';
import { ResponseWriter } from './response-writer.js';
import { ServerPings } from './server-pings.js';
import type { TransportCore } from './transport-core.js';

/**
 * The server's side of one HTTP/2 connection that carries gRPC (RFC 9113). Frames are read where
 * they are; what a turn of the event loop produces leaves in one write.
 */
export class Http2Connection implements FrameSink, CallConnection {
  readonly peer: string;
  readonly commonName: string | undefined;
  readonly writer: ResponseWriter;
  readonly #pings: PingPolicy;
  openCalls = 0;
  heldBytes = 0;
  readonly #core: TransportCore;
  readonly #socket: Socket;
  readonly #http: Http2Listener | undefined;
  readonly #outgoing: Outgoing;
  readonly #control: ControlWriter;
  readonly #splitter: FrameSplitter;
  readonly #headers = new HeaderReader();
  readonly #serverPings: ServerPings;
  readonly #idleFrames = new RateBudget(MAX_IDLE_FRAMES);
  readonly #resets = new RateBudget(MAX_RESETS);
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams whose last frame was written in this turn. */
  #ended: Http2Stream[] = [];
  #lastStreamId = 0;
  #receiveWindow = CONNECTION_WINDOW_BYTES;
  #hasSettings = false;
  #isLeaving = false;
  #isOver = false;
  #isChoked = false;
  #linger: Timer | undefined;

  constructor(socket: Socket, core: TransportCore, pings: PingPolicy) {
    this.#socket = socket;
    this.#core = core;
    this.#http = core.httpOf(socket);
    this.#pings = pings;
    this.peer = remoteAddressOf(socket);
    this.commonName = verifiedCommonName(socket);
    this.#outgoing = new Outgoing(socket, () => this.#endTurn());
    this.writer = new ResponseWriter(this.#outgoing, pings, (stream) => this.#ended.push(stream));
    this.#control = new ControlWriter(this.#outgoing);
    this.#splitter = new FrameSplitter(this);
    this.#serverPings = new ServerPings({
      clock: core.clock,
      // Nor does etcd ping on a port that carries HTTP, too.
      intervalMillis: this.#http === undefined ? core.keepAlive.intervalMillis : 0,
      timeoutMillis: core.keepAlive.timeoutMillis,
      sendPing: () => this.#control.ping(),
      onDead: () => socket.destroy(),
    });
    this.#control.settings(core.maxConcurrentStreams);
    this.#control.windowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    this.#listen();
  }

  get isReading(): boolean {
    return !this.#isOver;
  }

  /** Refuses new calls; the connection ends with the last open one. */
  leave(): void {
    if (this.#isLeaving || this.#isOver) return;
    this.#isLeaving = true;
    this.#control.goaway(this.#lastStreamId, Http2Code.NoError, '');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  replenish(stream: Http2Stream): void {
    if (stream.remoteEnded || stream.isClosed || stream.isHolding) return;
    if (stream.receiveWindow > STREAM_WINDOW_BYTES / 2) return;
    this.#control.windowUpdate(stream.id, STREAM_WINDOW_BYTES - stream.receiveWindow);
    stream.receiveWindow = STREAM_WINDOW_BYTES;
  }

  frame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if (this.#headers.isInside && type !== FrameType.Continuation) {
      throw protocolError('a frame within a header block');
    }
    if (!this.#hasSettings && type !== FrameType.Settings) throw protocolError('no settings');
    switch (type) {
      case FrameType.Data:
        this.#onData(flags, streamId, bytes, start, end);
        return;
      case FrameType.Headers:
        this.#onHeaders(this.#headers.begin(streamId, flags, bytes, start, end));
        return;
      case FrameType.Continuation:
        this.#onHeaders(this.#headers.resume(streamId, flags, bytes, start, end));
        return;
      case FrameType.WindowUpdate:
        this.#onWindowUpdate(streamId, bytes, start, end);
        return;
      case FrameType.RstStream:
        this.#onReset(streamId, start, end);
        return;
      case FrameType.Settings:
        this.#onSettings(flags, streamId, bytes, start, end);
        return;
      case FrameType.Ping:
        this.#onPing(flags, streamId, bytes, start, end);
        return;
      case FrameType.PushPromise:
        throw protocolError('a client does not push');
      case FrameType.Goaway:
        return;
      default:
        // PRIORITY, and types that do not exist yet.
        this.#spendIdle();
    }
  }

  #listen(): void {
    const socket = this.#socket;
    // A client that ends its side is gone. Trap: left half-open, the connection would stay for ever.
    socket.allowHalfOpen = false;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => socket.destroy());
    // The owner of the listener logs errors; here the close that follows counts.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#onClose());
    socket.resume();
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#serverPings.heard();
    this.#outgoing.hold();
    try {
      this.#splitter.push(chunk);
    } catch (error) {
      this.#fail(error);
    }
    this.#endTurn();
    if (this.#outgoing.waitingBytes < SOCKET_CHOKED_BYTES || this.#isOver) return;
    // Who does not read is not served.
    this.#isChoked = true;
    this.#socket.pause();
  }

  #onDrain(): void {
    if (this.#isChoked) this.#socket.resume();
    this.#isChoked = false;
    this.#endTurn();
  }

  /** Hands everything written in this turn to the socket, and what the windows allow of the rest. */
  #endTurn(): void {
    this.#outgoing.hold();
    do {
      this.writer.pump();
      this.#closeEnded();
      this.#outgoing.flush();
    } while (this.writer.canPump && !this.#isOver);
    if (!this.#isLeaving || this.#isOver || this.#streams.size > 0) return;
    // A slow client may still be reading its last answer; who closes the transport limits that.
    this.#finish((said) => this.#socket.once('finish', said));
  }

  #closeEnded(): void {
    while (this.#ended.length > 0) {
      const ended = this.#ended;
      this.#ended = [];
      for (const stream of ended) {
        if (stream.isClosed) continue;
        if (stream instanceof HttpExchange && !stream.remoteEnded) this.#awaitRest(stream);
        else this.#closeAnswered(stream);
      }
    }
  }

  /**
   * Leaves an HTTP client time to send what it began. Trap: a reset that comes together with the
   * answer is a failed upload to curl.
   */
  #awaitRest(exchange: HttpExchange): void {
    const timer = this.#core.clock.setTimer(LATE_BODY_MILLIS, () => {
      this.#closeAnswered(exchange);
      this.#endTurn();
    });
    exchange.dropRest(() => this.#closeAnswered(exchange), timer);
  }

  #closeAnswered(stream: Http2Stream): void {
    // The client need not send the rest of its request.
    if (!stream.remoteEnded) this.#control.reset(stream.id, Http2Code.NoError);
    this.#streams.delete(stream.id);
    stream.close();
  }

  #onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#checkNotIdle(streamId);
    const length = end - start;
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) throw flowControlError();
    if (this.#receiveWindow < CONNECTION_WINDOW_BYTES / 2) {
      this.#control.windowUpdate(0, CONNECTION_WINDOW_BYTES - this.#receiveWindow);
      this.#receiveWindow = CONNECTION_WINDOW_BYTES;
    }
    const isPadded = (flags & FLAG_PADDED) !== 0;
    const from = isPadded ? start + 1 : start;
    const to = isPadded ? end - paddingOf(bytes, start, end) : end;
    const isEnd = (flags & FLAG_END_STREAM) !== 0;
    if (from === to && !isEnd) this.#spendIdle();
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.receiveWindow -= length;
    if (stream.remoteEnded || stream.receiveWindow < 0) {
      const code = stream.remoteEnded ? Http2Code.StreamClosed : Http2Code.FlowControlError;
      this.#reset(stream, code);
      return;
    }
    if (isEnd) stream.remoteEnded = true;
    if (from < to) stream.receive(bytes, from, to);
    if (isEnd) stream.receiveEnd();
    else this.replenish(stream);
  }

  #onHeaders(headers: ReadHeaders | undefined): void {
    if (headers === undefined) return;
    const { streamId, endStream, head } = headers;
    if (streamId % 2 === 0) throw protocolError('a stream id of the server');
    if (streamId <= this.#lastStreamId) {
      this.#onTrailers(streamId, endStream);
      return;
    }
    this.#lastStreamId = streamId;
    if (head === undefined) {
      this.#control.reset(streamId, Http2Code.ProtocolError);
      return;
    }
    // What was answered within this turn makes room.
    if (this.#streams.size >= this.#core.maxConcurrentStreams) this.#closeEnded();
    if (this.#isLeaving || !this.#hasRoom) {
      this.#control.reset(streamId, Http2Code.RefusedStream);
      return;
    }
    this.#open(streamId, endStream, head);
  }

  get #hasRoom(): boolean {
    return (
      this.#streams.size < this.#core.maxConcurrentStreams &&
      this.heldBytes + this.writer.heldBytes + this.#streams.size * STREAM_BYTES < MAX_HELD_BYTES
    );
  }

  #open(streamId: number, endStream: boolean, head: RequestHead): void {
    if (this.#http !== undefined && !head.looksLikeCall) {
      this.#exchange(streamId, endStream, head, this.#http);
      return;
    }
    const call =
      head.refusal === undefined ? this.#core.createCall(streamId, head, this) : undefined;
    if (call === undefined) {
      this.#refuse(streamId, endStream, head);
      return;
    }
    call.remoteEnded = endStream;
    this.#streams.set(streamId, call);
    call.start();
    if (endStream) call.receiveEnd();
  }

  #exchange(streamId: number, endStream: boolean, head: RequestHead, http: Http2Listener): void {
    const now = this.#core.clock.wallMillis();
    const exchange = new HttpExchange(streamId, head, this, this.#socket, now);
    exchange.remoteEnded = endStream;
    this.#streams.set(streamId, exchange);
    if (endStream) exchange.receiveEnd();
    const { request, response } = exchange;
    // They have all that our handlers use of Node's.
    http(request as unknown as Http2ServerRequest, response as unknown as Http2ServerResponse);
  }

  #refuse(streamId: number, endStream: boolean, head: RequestHead): void {
    const { httpStatus, status } = head.refusal ?? this.#core.refusalOf(head.path);
    const block = refusalHeaders(httpStatus, head.responseHeaders, status);
    this.writer.headers(streamId, block, FLAG_END_STREAM);
    if (!endStream) this.#control.reset(streamId, Http2Code.NoError);
  }

  #onTrailers(streamId: number, endStream: boolean): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      // Trap: it may be a request out of order, whose client would wait for ever.
      this.#control.reset(streamId, Http2Code.StreamClosed);
      this.#spendReset();
      return;
    }
    if (stream.remoteEnded) {
      this.#reset(stream, Http2Code.StreamClosed);
    } else if (!endStream) {
      this.#reset(stream, Http2Code.ProtocolError);
    } else {
      stream.remoteEnded = true;
      stream.receiveEnd();
    }
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    checkLength(end - start, 4);
    const increment = bytes.readUInt32BE(start) & MAX_WINDOW_BYTES;
    if (streamId === 0) {
      if (increment === 0) throw protocolError('a window update of nothing');
      this.writer.growWindow(increment);
      return;
    }
    this.#checkNotIdle(streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (increment === 0) this.#reset(stream, Http2Code.ProtocolError);
    else if (!this.writer.growStreamWindow(stream, increment)) {
      this.#reset(stream, Http2Code.FlowControlError);
    }
  }

  #onReset(streamId: number, start: number, end: number): void {
    checkLength(end - start, 4);
    this.#checkNotIdle(streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#streams.delete(streamId);
    stream.close();
    this.#spendReset();
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('settings of a stream');
    if ((flags & FLAG_ACK) !== 0) {
      checkLength(end - start, 0);
      if (!this.#hasSettings) throw protocolError('no settings');
      return;
    }
    if ((end - start) % 6 !== 0) throw new ConnectionError(Http2Code.FrameSizeError, 'settings');
    this.#hasSettings = true;
    this.#spendIdle();
    for (let at = start; at < end; at += 6) {
      if (at > start) this.#spendIdle();
      this.#apply(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
    }
    this.#control.settingsAck();
  }

  #apply(setting: number, value: number): void {
    if (setting === Setting.InitialWindowSize) {
      if (value > MAX_WINDOW_BYTES) throw flowControlError();
      this.writer.setInitialWindow(value, this.#streams.values());
    } else if (setting === Setting.MaxFrameSize) {
      if (value < DEFAULT_MAX_FRAME_BYTES || value >= 2 ** 24) throw protocolError('frame size');
      this.writer.setMaxFrameBytes(value);
    } else if (setting === Setting.HeaderTableSize) {
      this.writer.setTableBytes(value);
    } else if (setting === Setting.EnablePush && value > 1) {
      throw protocolError('enable push');
    }
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('a ping of a stream');
    checkLength(end - start, 8);
    if ((flags & FLAG_ACK) !== 0) return;
    this.#spendIdle();
    this.#control.pingAck(bytes, start);
    // Trap: where etcd serves HTTP and calls on one TLS port, it does not judge pings.
    if (this.#http !== undefined) return;
    const now = this.#core.clock.monotonicMillis();
    if (!this.#pings.allow(now, this.openCalls)) throw calm('too_many_pings');
  }

  #spendIdle(): void {
    if (!this.#idleFrames.spend(this.#core.clock.monotonicMillis())) throw calm('too many frames');
  }

  #checkNotIdle(streamId: number): void {
    if (streamId === 0 || streamId > this.#lastStreamId || streamId % 2 === 0) {
      throw protocolError('a frame of a stream that is not open');
    }
  }

  #reset(stream: Http2Stream, code: Http2Code): void {
    this.#control.reset(stream.id, code);
    this.#streams.delete(stream.id);
    stream.close();
    // Trap: a client that provokes resets gets as much work done for nothing as one that sends them.
    this.#spendReset();
  }

  #spendReset(): void {
    if (!this.#resets.spend(this.#core.clock.monotonicMillis())) throw calm('too many resets');
  }

  /** Ends the connection because of the client, or of a fault of ours that it met. */
  #fail(error: unknown): void {
    const { code, message } =
      error instanceof ConnectionError
        ? error
        : new ConnectionError(Http2Code.InternalError, String(error));
    this.#control.goaway(this.#lastStreamId, code, message);
    this.#finish((said) => said());
  }

  /**
   * Says good-bye: the socket goes when the client closes it, or a while after `whenSaid` calls back.
   */
  #finish(whenSaid: (said: () => void) => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#serverPings.stop();
    this.#outgoing.flush();
    this.#closeStreams();
    const socket = this.#socket;
    if (socket.destroyed) return;
    whenSaid(() => {
      this.#linger = this.#core.clock.setTimer(LINGER_MILLIS, () => socket.destroy());
    });
    socket.end();
  }

  #onClose(): void {
    this.#isOver = true;
    this.#serverPings.stop();
    this.#linger?.cancel();
    this.#closeStreams();
  }

  #closeStreams(): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.close();
  }
}

function checkLength(length: number, expected: number): void {
  if (length !== expected) {
    throw new ConnectionError(Http2Code.FrameSizeError, `a frame of ${length} octets`);
  }
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(Http2Code.ProtocolError, message);
}

function flowControlError(): ConnectionError {
  return new ConnectionError(Http2Code.FlowControlError, 'flow control');
}

function calm(message: string): ConnectionError {
  return new ConnectionError(Http2Code.EnhanceYourCalm, message);
}
