import { gunzipSync } from 'node:zlib';
import { EMPTY_BYTES } from '../../../base/bytes.js';
import { quoteGo } from '../../../base/go-format.js';
import { GrpcCode, RpcError } from '../../../proto/errors.js';

/** Flag and length in front of each message. */
export const MESSAGE_PREFIX_BYTES = 5;
/** First size of the memory for a message that comes in parts, octets. */
const FIRST_PART_BYTES = 16 * 1024;

/** What the messages of a call may be. */
export interface MessageRules {
  /** Largest message, octets. */
  readonly maxBytes: number;
  /** `grpc-encoding` of the call; empty: none. */
  readonly encoding: string;
}

/** Puts the messages of one call together that come in parts. */
export class MessageAssembler {
  readonly #rules: MessageRules;
  readonly #prefix = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES);
  #prefixBytes = 0;
  #message: Buffer = EMPTY_BYTES;
  #messageBytes = 0;
  #filled = 0;

  constructor(rules: MessageRules) {
    this.#rules = rules;
  }

  /** Memory in use, octets. */
  get heldBytes(): number {
    return this.#message.length;
  }

  /** Whether a message has begun and is not complete. */
  get isInside(): boolean {
    return this.#prefixBytes > 0;
  }

  /**
   * Takes octets from `start` on, until a message is complete or there are no more; the result is
   * where it stopped.
   * @throws RpcError for a message that must not be
   */
  push(bytes: Buffer, start: number, end: number): number {
    let position = start;
    while (this.#prefixBytes < MESSAGE_PREFIX_BYTES && position < end) {
      this.#prefix[this.#prefixBytes++] = bytes[position++] ?? 0;
      if (this.#prefixBytes === MESSAGE_PREFIX_BYTES) {
        this.#messageBytes = checkPrefix(this.#prefix, 0, this.#rules);
      }
    }
    const count = Math.min(this.#messageBytes - this.#filled, end - position);
    if (count <= 0) return position;
    this.#grow(this.#filled + count);
    bytes.copy(this.#message, this.#filled, position, position + count);
    this.#filled += count;
    return position + count;
  }

  /** Whether there is a message to {@link take}. */
  get isComplete(): boolean {
    return this.#prefixBytes === MESSAGE_PREFIX_BYTES && this.#filled === this.#messageBytes;
  }

  /** The complete message. @throws RpcError if it cannot be decompressed */
  take(): Buffer {
    const message = this.#message;
    const isCompressed = this.#prefix[0] === 1;
    this.#prefixBytes = 0;
    this.#message = EMPTY_BYTES;
    this.#messageBytes = 0;
    this.#filled = 0;
    return isCompressed ? decompress(message, this.#rules) : message;
  }

  /** Memory grows with what came, not with what was announced. */
  #grow(needed: number): void {
    if (needed <= this.#message.length) return;
    const size = Math.max(needed, FIRST_PART_BYTES, 2 * this.#message.length);
    const larger = Buffer.allocUnsafe(Math.min(size, this.#messageBytes));
    this.#message.copy(larger, 0, 0, this.#filled);
    this.#message = larger;
  }
}

/**
 * Reads the prefix of a message: its length.
 * @throws RpcError with Go's text if such a message must not be
 */
export function checkPrefix(bytes: Buffer, at: number, rules: MessageRules): number {
  const flag = bytes[at] ?? 0;
  if (flag > 1) throw internal(`grpc: received unexpected payload format ${flag}`);
  const length = bytes.readUInt32BE(at + 1);
  if (length > rules.maxBytes) {
    const text = `grpc: received message larger than max (${length} vs. ${rules.maxBytes})`;
    throw new RpcError(GrpcCode.ResourceExhausted, text);
  }
  if (flag === 1 && isIdentity(rules.encoding)) {
    throw internal('grpc: compressed flag set with identity or empty encoding');
  }
  return length;
}

/** @throws RpcError with Go's text for an encoding that we do not know */
export function checkEncoding(encoding: string): void {
  if (isIdentity(encoding) || encoding === 'gzip') return;
  const text = `grpc: Decompressor is not installed for grpc-encoding ${quoteGo(encoding)}`;
  throw new RpcError(GrpcCode.Unimplemented, text);
}

function isIdentity(encoding: string): boolean {
  return encoding === '' || encoding === 'identity';
}

function decompress(message: Buffer, { maxBytes }: MessageRules): Buffer {
  try {
    return gunzipSync(message, { maxOutputLength: Math.max(maxBytes, 1) });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      const text = `grpc: received message after decompression larger than max ${maxBytes}`;
      throw new RpcError(GrpcCode.ResourceExhausted, text);
    }
    throw internal(`grpc: failed to decompress the received message: ${String(error)}`);
  }
}

function internal(text: string): RpcError {
  return new RpcError(GrpcCode.Internal, text);
}
