/**
 * Keys as text: one Latin-1 character a byte, so that string order is byte order and a key can be
 * the key of a Map or of a sorted tree. All in-memory indexes use this form.
 */
export type KeyText = string;

/** The text form of a key. */
export function keyText(bytes: Uint8Array): KeyText {
  return asBuffer(bytes).toString('latin1');
}

/** The bytes of a key in text form. */
export function keyBytes(text: KeyText): Buffer {
  return Buffer.from(text, 'latin1');
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export const EMPTY_BYTES: Buffer = Buffer.alloc(0);
