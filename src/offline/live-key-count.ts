const FIRST_CAPACITY = 1024;
/** A table that is fuller than this is doubled. */
const MAX_LOAD = 0.7;
const State = { empty: 0, live: 1, dead: 2 } as const;
/** Keys lie one behind the other in chunks of so many bytes; a longer key has a chunk of its own. */
const CHUNK_BYTES = 2 ** 20;
const LENGTH_BYTES = 4;
const SHORT_BYTES = 64;

export interface LiveKeyLimits {
  /** Bytes of the keys that are kept. */
  readonly bytes: number;
  /** Keys that are kept; each takes up to 26 bytes more. */
  readonly keys: number;
}

/** About 320 MiB in all. */
export const LIVE_KEY_LIMITS: LiveKeyLimits = { bytes: 128 * 1024 * 1024, keys: 8_000_000 };

/** The keys whose hash ends with `bits` bits of this value. */
interface Share {
  readonly bits: number;
  readonly value: number;
}

/**
 * Counts keys that are put and deleted in any order: exactly, for the keys themselves are compared,
 * and in bounded memory, for keys that do not fit are left for another pass over the same rows.
 */
export class LiveKeyCount {
  readonly #limits: LiveKeyLimits;
  /** What the next passes are for; the last is the one that is counted now. */
  readonly #shares: Share[] = [{ bits: 0, value: 0 }];
  #table = new KeyTable();
  #counted = 0;

  constructor(limits: LiveKeyLimits = LIVE_KEY_LIMITS) {
    this.#limits = limits;
  }

  /** The key is `bytes[start, end)`. */
  put(bytes: Buffer, start = 0, end = bytes.length): void {
    this.#set(bytes, start, end, State.live);
  }

  /** The key is `bytes[start, end)`. */
  delete(bytes: Buffer, start = 0, end = bytes.length): void {
    this.#set(bytes, start, end, State.dead);
  }

  /**
   * Ends a pass over all rows.
   * @returns the number of keys whose last change was a put; undefined: another pass is needed
   */
  endPass(): number | undefined {
    this.#counted += this.#table.live;
    this.#shares.pop();
    this.#table = new KeyTable();
    return this.#shares.length === 0 ? this.#counted : undefined;
  }

  #set(key: Buffer, start: number, end: number, state: number): void {
    const hash = hashOf(key, start, end);
    if (this.#share.bits > 0 && !isInShare(hash, this.#share)) return;
    this.#table.set(key, start, end, hash, state);
    const { bytes, keys } = this.#limits;
    // One key alone always fits, and keys of one hash can't be told apart by more of its bits.
    while (
      (this.#table.bytes > bytes || this.#table.used > keys) &&
      this.#table.used > 1 &&
      this.#share.bits < 32
    ) {
      this.#split();
    }
  }

  get #share(): Share {
    return this.#shares.at(-1) ?? { bits: 0, value: 0 };
  }

  /** Leaves half of the keys for later. */
  #split(): void {
    const { bits, value } = this.#share;
    const kept = { bits: bits + 1, value };
    this.#shares.pop();
    this.#shares.push({ bits: bits + 1, value: (value | (1 << bits)) >>> 0 }, kept);
    this.#table = this.#table.filtered((hash) => isInShare(hash, kept));
  }
}

function isInShare(hash: number, { bits, value }: Share): boolean {
  // Trap: JavaScript shifts by the count modulo 32.
  const mask = bits === 32 ? 0xffff_ffff : ((1 << bits) - 1) >>> 0;
  return (hash & mask) >>> 0 === value;
}

/** 32 bits, unsigned. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) {
    hash = Math.imul(hash ^ (bytes[index] as number), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Keys with their states, by open addressing. */
class KeyTable {
  live = 0;
  used = 0;
  readonly #keys = new KeyChunks();
  #hashes = new Uint32Array(FIRST_CAPACITY);
  #places = new Float64Array(FIRST_CAPACITY);
  #states = new Uint8Array(FIRST_CAPACITY);

  /** Bytes of the keys. */
  get bytes(): number {
    return this.#keys.bytes;
  }

  set(bytes: Buffer, start: number, end: number, hash: number, state: number): void {
    const slot = this.#slotOf(bytes, start, end, hash);
    const before = this.#states[slot];
    if (before === State.live) this.live--;
    if (state === State.live) this.live++;
    this.#states[slot] = state;
    if (before !== State.empty) return;
    this.#hashes[slot] = hash;
    this.#places[slot] = this.#keys.add(bytes, start, end);
    this.used++;
    if (this.used > this.#states.length * MAX_LOAD) this.#grow();
  }

  /** A table of the keys whose hash is wanted. */
  filtered(isWanted: (hash: number) => boolean): KeyTable {
    const table = new KeyTable();
    for (let slot = 0; slot < this.#states.length; slot++) {
      const state = this.#states[slot] as number;
      const hash = this.#hashes[slot] as number;
      if (state === State.empty || !isWanted(hash)) continue;
      const key = this.#keys.at(this.#places[slot] as number);
      table.set(key, 0, key.length, hash, state);
    }
    return table;
  }

  /** The slot of the key, or the empty one where it belongs. */
  #slotOf(bytes: Buffer, start: number, end: number, hash: number): number {
    const mask = this.#states.length - 1;
    let slot = firstSlot(hash, mask);
    while (
      this.#states[slot] !== State.empty &&
      (this.#hashes[slot] !== hash ||
        !this.#keys.isAt(this.#places[slot] as number, bytes, start, end))
    ) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const [hashes, places, states] = [this.#hashes, this.#places, this.#states];
    const capacity = states.length * 2;
    this.#hashes = new Uint32Array(capacity);
    this.#places = new Float64Array(capacity);
    this.#states = new Uint8Array(capacity);
    const mask = capacity - 1;
    for (let index = 0; index < states.length; index++) {
      if (states[index] === State.empty) continue;
      const hash = hashes[index] as number;
      let slot = firstSlot(hash, mask);
      while (this.#states[slot] !== State.empty) slot = (slot + 1) & mask;
      this.#hashes[slot] = hash;
      this.#places[slot] = places[index] as number;
      this.#states[slot] = states[index] as number;
    }
  }
}

/** The low bits of the hash are the same for all keys of a share, so that they are mixed. */
function firstSlot(hash: number, mask: number): number {
  return (Math.imul(hash, 0x9e3779b1) >>> 7) & mask;
}

/** Keys in memory that no garbage collector looks into, each behind its length. */
class KeyChunks {
  bytes = 0;
  readonly #chunks: Buffer[] = [];
  #free = 0;

  /** @returns where it is: the number of its chunk, and the place there */
  add(bytes: Buffer, start: number, end: number): number {
    const needed = LENGTH_BYTES + end - start;
    this.bytes += needed;
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || this.#free + needed > chunk.length) {
      chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, needed));
      this.#chunks.push(chunk);
      this.#free = 0;
    }
    const at = this.#free;
    chunk.writeUInt32LE(end - start, at);
    copyShort(bytes, start, end, chunk, at + LENGTH_BYTES);
    this.#free += needed;
    return (this.#chunks.length - 1) * CHUNK_BYTES + at;
  }

  at(place: number): Buffer {
    const chunk = this.#chunks[Math.floor(place / CHUNK_BYTES)];
    if (chunk === undefined) throw new Error('no key is there');
    const start = (place % CHUNK_BYTES) + LENGTH_BYTES;
    return chunk.subarray(start, start + chunk.readUInt32LE(start - LENGTH_BYTES));
  }

  isAt(place: number, bytes: Buffer, from: number, to: number): boolean {
    const chunk = this.#chunks[Math.floor(place / CHUNK_BYTES)];
    if (chunk === undefined) return false;
    const start = (place % CHUNK_BYTES) + LENGTH_BYTES;
    if (chunk.readUInt32LE(start - LENGTH_BYTES) !== to - from) return false;
    return chunk.compare(bytes, from, to, start, start + to - from) === 0;
  }
}

/** Copies some ten bytes faster than native code, whose call takes longer than that. */
function copyShort(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > SHORT_BYTES) source.copy(target, at, start, end);
  else
    for (let index = start; index < end; index++) target[at + index - start] = source[index] ?? 0;
}
