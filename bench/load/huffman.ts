/**
 * The Huffman code of HPACK (RFC 7541, appendix B). It is canonical: codes of one length are
 * consecutive numbers in the order of their symbols, so the lengths alone define it.
 */
// biome-ignore format: sixteen symbols a line, like the tables one compares it with
const CODE_LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const END_OF_STRING = 256;
const LONGEST_CODE = 30;

/** Key: code length * 2^30 + code. */
const SYMBOLS = new Map<number, number>();
const codeKey = (length: number, code: number): number => length * 2 ** LONGEST_CODE + code;

let nextCode = 0;
for (let length = 1; length <= LONGEST_CODE; length++) {
  for (let symbol = 0; symbol <= END_OF_STRING; symbol++) {
    if (CODE_LENGTHS[symbol] !== length) continue;
    SYMBOLS.set(codeKey(length, nextCode), symbol);
    nextCode += 1;
  }
  nextCode *= 2;
}

/** Decodes a Huffman-coded string literal; throws if it is none. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  let text = '';
  let code = 0;
  let length = 0;
  for (let position = start; position < end; position++) {
    const byte = bytes.readUInt8(position);
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length += 1;
      const symbol = SYMBOLS.get(codeKey(length, code));
      if (symbol === undefined) {
        if (length >= LONGEST_CODE) throw new Error('HPACK: no such Huffman code');
        continue;
      }
      if (symbol === END_OF_STRING) throw new Error('HPACK: end-of-string symbol in a string');
      text += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  if (length > 7 || code !== 2 ** length - 1) throw new Error('HPACK: wrong Huffman padding');
  return text;
}
