import type { Random } from '../../../src/platform/random.js';

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;

/** A file that something happened to. */
export interface Damage {
  readonly kind: DamageKind;
  readonly bytes: Buffer;
}

const MAKERS = {
  /** Any prefix, the empty one too. */
  prefix: (bytes, random) => bytes.subarray(0, random.integer(bytes.length)),
  'sectors cut off': (bytes, random) =>
    bytes.subarray(0, SECTOR_BYTES * random.integer(Math.ceil(bytes.length / SECTOR_BYTES))),
  'flipped bit': (bytes, random) => flipBits(bytes, random, 1),
  'flipped bits': (bytes, random) => flipBits(bytes, random, 2 + random.integer(7)),
  'changed byte': (bytes, random) => garble(bytes, random, 1),
  'garbled bytes': (bytes, random) => garble(bytes, random, 2 + random.integer(64)),
  'garbled sector': (bytes, random) => garble(bytes, random, SECTOR_BYTES, SECTOR_BYTES),
  'garbled page': (bytes, random) => garble(bytes, random, PAGE_BYTES, PAGE_BYTES),
  'zeroed bytes': (bytes, random) => zero(bytes, random, 1 + random.integer(64), 1),
  'zeroed sector': (bytes, random) => zero(bytes, random, SECTOR_BYTES, SECTOR_BYTES),
  'zeroed page': (bytes, random) => zero(bytes, random, PAGE_BYTES, PAGE_BYTES),
  'zeroed rest': (bytes, random) => {
    const copy = Buffer.from(bytes);
    return copy.fill(0, random.integer(bytes.length));
  },
  'swapped pages': (bytes, random) => swapPages(bytes, random),
  'page over another': (bytes, random) => {
    const copy = Buffer.from(bytes);
    bytes.copy(copy, at(bytes, random, PAGE_BYTES), at(bytes, random, PAGE_BYTES), PAGE_BYTES);
    return copy;
  },
  'piece over another': (bytes, random) => {
    const copy = Buffer.from(bytes);
    const from = random.integer(bytes.length);
    bytes.copy(copy, random.integer(bytes.length), from, from + 1 + random.integer(256));
    return copy;
  },
  'wrong number': (bytes, random) => wrongNumber(bytes, random),
  'inserted bytes': (bytes, random) => {
    const place = random.integer(bytes.length);
    const noise = random.bytes(1 + random.integer(32));
    return Buffer.concat([bytes.subarray(0, place), noise, bytes.subarray(place)]);
  },
  'missing bytes': (bytes, random) => {
    const place = random.integer(bytes.length);
    const end = place + 1 + random.integer(32);
    return Buffer.concat([bytes.subarray(0, place), bytes.subarray(end)]);
  },
  'noise behind it': (bytes, random) =>
    Buffer.concat([bytes, random.bytes(1 + random.integer(2 * PAGE_BYTES))]),
  'zeros behind it': (bytes, random) =>
    Buffer.concat([bytes, Buffer.alloc(1 + random.integer(2 * PAGE_BYTES))]),
} satisfies Record<string, (bytes: Buffer, random: Random) => Buffer>;

export type DamageKind = keyof typeof MAKERS;
export const DAMAGE_KINDS = Object.keys(MAKERS) as DamageKind[];

/** Bits are flipped more often than anything else happens: there are most ways to do it. */
const OFTEN: readonly DamageKind[] = ['flipped bit', 'flipped bit', 'wrong number', 'prefix'];

/** One of many ways to damage a file; the original stays as it is. */
export function damage(original: Buffer, random: Random): Damage {
  const kinds = [...DAMAGE_KINDS, ...OFTEN];
  const kind = kinds[random.integer(kinds.length)] ?? 'flipped bit';
  return { kind, bytes: Buffer.from(MAKERS[kind](original, random)) };
}

/** A place that is a multiple of `unit`. */
function at(bytes: Buffer, random: Random, unit: number): number {
  return unit * random.integer(Math.max(1, Math.floor(bytes.length / unit)));
}

function flipBits(bytes: Buffer, random: Random, count: number): Buffer {
  const copy = Buffer.from(bytes);
  for (let flip = 0; flip < count; flip++) {
    const place = random.integer(bytes.length);
    copy[place] = (copy[place] ?? 0) ^ (1 << random.integer(8));
  }
  return copy;
}

function garble(bytes: Buffer, random: Random, count: number, unit = 1): Buffer {
  const copy = Buffer.from(bytes);
  random.bytes(count).copy(copy, at(bytes, random, unit));
  return copy;
}

function zero(bytes: Buffer, random: Random, count: number, unit: number): Buffer {
  const copy = Buffer.from(bytes);
  const place = at(bytes, random, unit);
  return copy.fill(0, place, Math.min(place + count, copy.length));
}

function swapPages(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  const [first, second] = [at(bytes, random, PAGE_BYTES), at(bytes, random, PAGE_BYTES)];
  bytes.copy(copy, first, second, second + PAGE_BYTES);
  bytes.copy(copy, second, first, first + PAGE_BYTES);
  return copy;
}

/** Lengths, counts, page numbers and offsets are aligned: one of them is made wrong. */
function wrongNumber(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  const width = [2, 4, 8][random.integer(3)] ?? 2;
  const place = at(bytes, random, width);
  if (place + width > bytes.length) return copy;
  const low = copy.readUInt16LE(place);
  const near = (low + random.integer(17) - 8) & 0xffff;
  const wrong = [0, 1, 0x7fff, 0xffff, near][random.integer(5)] ?? 0;
  copy.writeUInt16LE(wrong, place);
  if (random.integer(4) === 0) copy.fill(wrong & 0xff, place, place + width);
  return copy;
}
