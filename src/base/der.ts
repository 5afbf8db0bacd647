/** Writing and reading of DER, as far as certificates and revocation lists need it (X.690). */

/** Tags of DER elements. */
export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: tag, length and contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(body.length), body]);
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  const significant = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([0x80 | significant.length]), significant]);
}

export function derSequence(...elements: readonly Uint8Array[]): Buffer {
  return der(DerTag.sequence, ...elements);
}

/** A positive integer from its big-endian bytes. */
export function derInteger(bytes: Uint8Array): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const significant = start < 0 ? Uint8Array.of(0) : bytes.subarray(start);
  // A leading bit of 1 would make it negative.
  const isHigh = ((significant[0] ?? 0) & 0x80) !== 0;
  return der(DerTag.integer, isHigh ? Uint8Array.of(0) : Uint8Array.of(), significant);
}

/** @param text e.g. `2.5.4.3` */
export function derObjectIdentifier(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap(base128);
  return der(DerTag.objectIdentifier, Uint8Array.from(bytes));
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift((rest % 128) | 0x80);
  }
  return bytes;
}

/** A point of time, in whole seconds; the short form up to 2049, as RFC 5280 demands. */
export function derTime(millis: number): Buffer {
  const digits = new Date(millis)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '');
  const isShort = digits < '2050';
  return der(
    isShort ? DerTag.utcTime : DerTag.generalizedTime,
    Buffer.from(isShort ? digits.slice(2) : digits),
  );
}

/** A bit string of whole bytes. */
export function derBitString(bytes: Uint8Array): Buffer {
  return der(DerTag.bitString, Uint8Array.of(0), bytes);
}

/** One element that was read. */
export interface DerElement {
  readonly tag: number;
  readonly contents: Buffer;
}

/**
 * The elements that `bytes` consists of.
 * @throws Error if they are no DER
 */
export function* derElements(bytes: Buffer): Generator<DerElement> {
  let offset = 0;
  while (offset < bytes.length) {
    const tag = bytes[offset] ?? 0;
    const first = bytes[offset + 1];
    if (first === undefined || (tag & 0x1f) === 0x1f) throw malformed();
    const lengthSize = first < 0x80 ? 0 : first & 0x7f;
    const start = offset + 2 + lengthSize;
    if (first === 0x80 || lengthSize > 4 || start > bytes.length) throw malformed();
    const length = lengthSize === 0 ? first : bytes.readUIntBE(offset + 2, lengthSize);
    if (start + length > bytes.length) throw malformed();
    yield { tag, contents: bytes.subarray(start, start + length) };
    offset = start + length;
  }
}

function malformed(): Error {
  return new Error('malformed DER');
}
