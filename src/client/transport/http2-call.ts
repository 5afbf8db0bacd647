import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { GrpcCode, type RpcError } from '../../proto/errors.js';
import type { CallContext } from '../call-context.js';
import { CallError } from '../errors.js';
import { frameMessage, MessageDecoder } from './message-framing.js';
import { errorFromHttpStatus, errorFromReset, statusFromHeaders } from './status.js';
import type { CallListener, TransportCall } from './transport.js';

/** Sizes in bytes. */
export interface MessageLimits {
  readonly maxSendBytes: number;
  readonly maxReceiveBytes: number;
}

/** One gRPC call on one HTTP/2 stream. */
export class Http2Call implements TransportCall {
  readonly peer: string;
  private readonly stream: ClientHttp2Stream;
  private readonly listener: CallListener;
  private readonly limits: MessageLimits;
  private readonly decoder: MessageDecoder;
  private readonly stopContext: () => void;
  /** Why the connection broke, if that is what ended the stream. */
  private readonly connectionError: () => CallError | undefined;
  private status: RpcError | 'ok' | undefined;
  private responded = false;
  private finished = false;

  constructor(
    stream: ClientHttp2Stream,
    peer: string,
    context: CallContext,
    limits: MessageLimits,
    listener: CallListener,
    connectionError: () => CallError | undefined,
  ) {
    this.stream = stream;
    this.peer = peer;
    this.listener = listener;
    this.limits = limits;
    this.decoder = new MessageDecoder(limits.maxReceiveBytes);
    this.connectionError = connectionError;
    this.stopContext = context.onEnd((error) => this.finish(error));
    stream.on('response', (headers) => this.onHeaders(headers));
    stream.on('trailers', (headers) => this.onTrailers(headers));
    stream.on('data', (chunk: Buffer) => this.onData(chunk));
    stream.on('end', () => this.onEnd());
    stream.on('close', () => this.onStreamClose());
    // 'close' follows every 'error' and says all that is needed.
    stream.on('error', () => undefined);
  }

  send(message: Uint8Array): void {
    if (this.finished || this.stream.destroyed) {
      return;
    }
    if (message.length > this.limits.maxSendBytes) {
      const text = `trying to send message larger than max (${message.length} vs. ${this.limits.maxSendBytes})`;
      this.finish(new CallError(GrpcCode.ResourceExhausted, text));
      return;
    }
    this.stream.write(frameMessage(message));
  }

  halfClose(): void {
    if (!this.finished && !this.stream.destroyed) {
      this.stream.end();
    }
  }

  cancel(): void {
    if (!this.finished) {
      this.finished = true;
      this.release();
    }
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  private onHeaders(headers: IncomingHttpHeaders): void {
    this.responded = true;
    const httpStatus = Number((headers as Record<string, unknown>)[':status']);
    this.status = statusFromHeaders(headers);
    if (this.status === undefined && httpStatus !== 200) {
      this.finish(errorFromHttpStatus(httpStatus));
    }
  }

  private onTrailers(headers: IncomingHttpHeaders): void {
    this.status = statusFromHeaders(headers);
  }

  private onData(chunk: Buffer): void {
    if (this.finished) {
      return;
    }
    try {
      this.decoder.push(chunk, (message) => {
        if (!this.finished) {
          this.listener.onMessage(message);
        }
      });
    } catch (error) {
      if (!(error instanceof CallError)) {
        throw error;
      }
      this.finish(error);
    }
  }

  /** The response is complete. Trailers come before the end of the data they follow. */
  private onEnd(): void {
    if (this.status !== undefined) {
      this.finish(this.status === 'ok' ? this.completeness() : this.status);
    }
  }

  private completeness(): CallError | undefined {
    return this.decoder.incomplete ? new CallError(GrpcCode.Internal, 'unexpected EOF') : undefined;
  }

  private onStreamClose(): void {
    if (this.status !== undefined) {
      this.finish(this.status === 'ok' ? undefined : this.status);
      return;
    }
    const code = this.stream.rstCode;
    if (code === constants.NGHTTP2_REFUSED_STREAM) {
      this.finish(errorFromReset(code, this.responded));
      return;
    }
    this.finish(this.connectionError() ?? this.withoutStatus(code));
  }

  private withoutStatus(code: number): CallError {
    return code === constants.NGHTTP2_NO_ERROR
      ? new CallError(GrpcCode.Internal, 'server closed the stream without sending trailers')
      : errorFromReset(code, this.responded);
  }

  private finish(error: RpcError | undefined): void {
    if (this.finished) {
      return;
    }
    this.finished = true;
    this.release();
    this.listener.onClose(error);
  }

  /** Lets go of the stream; a server that is still sending, or reading, is told to stop. */
  private release(): void {
    this.stopContext();
    const { stream } = this;
    // Trap: a server counts the resets of a connection and drops it after a burst of them, so that a
    // stream which both sides have ended must be left to close by itself.
    const isOver = stream.readableEnded && stream.writableFinished;
    if (!isOver && !stream.closed && !stream.destroyed) {
      stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}
