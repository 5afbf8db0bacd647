import type { BinaryReader } from './reader.js';
import type { BinaryWriter } from './writer.js';

/**
 * The codec of one message type, as the generated files export it under the message's name.
 *
 * - `RangeRequest.create({ key })` fills in the other fields with their defaults.
 * - `RangeRequest.encode(message).finish()` gives the bytes.
 * - `RangeRequest.decode(bytes)` throws a DecodeError if they are malformed. Bytes fields alias the
 *   input. Unknown fields, and known fields of another wire type, are skipped; of a submessage that
 *   occurs twice the last one counts.
 */
export interface MessageCodec<T> {
  create(fields?: Partial<T>): T;
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader | Uint8Array, length?: number): T;
}
