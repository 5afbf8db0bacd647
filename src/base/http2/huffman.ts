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

/**
 * The code as a tree: `TREE[2 * node + bit]` is the next node, or -1 - symbol at a leaf. A complete
 * code of 257 symbols has 256 inner nodes.
 */
const TREE = new Int16Array(2 * END_OF_STRING);
/** Depth of each node on the path of ones, which is the only padding allowed; 0: not on it. */
const PADDING_DEPTH = new Uint8Array(END_OF_STRING);

function plant(symbol: number, code: number, length: number): void {
  let node = 0;
  for (let bit = length - 1; bit > 0; bit--) {
    const edge = 2 * node + ((code >>> bit) & 1);
    if (TREE[edge] === 0) TREE[edge] = nodeCount++;
    node = TREE[edge] ?? 0;
  }
  TREE[2 * node + (code & 1)] = -1 - symbol;
}

let nodeCount = 1;
let nextCode = 0;
for (let length = 1; length <= LONGEST_CODE; length++) {
  for (let symbol = 0; symbol <= END_OF_STRING; symbol++) {
    if (CODE_LENGTHS[symbol] === length) plant(symbol, nextCode++, length);
  }
  nextCode *= 2;
}
for (let depth = 1, node = 0; depth <= 7; depth++) {
  node = TREE[2 * node + 1] ?? 0;
  PADDING_DEPTH[node] = depth;
}

/** A string that is not Huffman-coded as it says. */
export class HuffmanError extends Error {}

/**
 * Decodes a Huffman-coded string literal: one Latin-1 character a byte.
 * @throws HuffmanError
 */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  // The shortest code has five bits.
  const text = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / 5));
  let length = 0;
  let node = 0;
  for (let position = start; position < end; position++) {
    const byte = bytes[position] ?? 0;
    for (let bit = 7; bit >= 0; bit--) {
      const next = TREE[2 * node + ((byte >>> bit) & 1)] ?? 0;
      if (next >= 0) {
        node = next;
        continue;
      }
      const symbol = -1 - next;
      if (symbol === END_OF_STRING) throw new HuffmanError('end-of-string symbol in a string');
      text[length++] = symbol;
      node = 0;
    }
  }
  if (node !== 0 && PADDING_DEPTH[node] === 0) throw new HuffmanError('wrong padding');
  return text.toString('latin1', 0, length);
}
