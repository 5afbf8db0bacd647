import { GrpcCode } from '../../proto/errors.js';
import { CallError } from '../errors.js';

const PREFIX_BYTES = 5;

/** A gRPC message: one byte of flags, four of length, then the message. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Cuts a byte stream into gRPC messages. */
export class MessageDecoder {
  private readonly maxBytes: number;
  private chunks: Buffer[] = [];
  private buffered = 0;
  /** Bytes needed before there is something to cut: a prefix, or a prefix and its message. */
  private needed = PREFIX_BYTES;

  /** `maxBytes` bounds the length of one message. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** True if part of a message is left over. */
  get incomplete(): boolean {
    return this.buffered > 0;
  }

  /**
   * Takes bytes in and hands each complete message to `take`.
   *
   * @throws CallError ResourceExhausted for a message beyond the limit, Internal for a compressed one.
   */
  push(chunk: Buffer, take: (message: Buffer) => void): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    while (this.buffered >= this.needed) {
      const bytes = this.joined();
      const length = this.messageLength(bytes);
      const end = PREFIX_BYTES + length;
      if (bytes.length < end) {
        this.needed = end;
        return;
      }
      this.chunks = bytes.length === end ? [] : [bytes.subarray(end)];
      this.buffered = bytes.length - end;
      this.needed = PREFIX_BYTES;
      take(bytes.subarray(PREFIX_BYTES, end));
    }
  }

  private joined(): Buffer {
    const [only] = this.chunks;
    const bytes =
      this.chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.chunks);
    this.chunks = [bytes];
    return bytes;
  }

  private messageLength(bytes: Buffer): number {
    if (bytes[0] !== 0) {
      throw new CallError(
        GrpcCode.Internal,
        'grpc: compressed flag set with identity or empty encoding',
      );
    }
    const length = bytes.readUInt32BE(1);
    if (length > this.maxBytes) {
      throw new CallError(
        GrpcCode.ResourceExhausted,
        `grpc: received message larger than max (${length} vs. ${this.maxBytes})`,
      );
    }
    return length;
  }
}
