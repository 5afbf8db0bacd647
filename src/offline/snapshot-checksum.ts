import { createHash } from 'node:crypto';

const HASH_BYTES = 32;
/** Pages are multiples of this, so what is left over tells whether a hash follows them. */
const SECTOR_BYTES = 512;

/** Whether a file of that length ends with the hash of what is before it (reference: formats 5.1). */
export function hasTrailingHash(bytes: number): boolean {
  return bytes % SECTOR_BYTES === HASH_BYTES;
}

/** Compares a snapshot, as it passes by, with the SHA-256 at its end. */
export class SnapshotChecksum {
  readonly #hash = createHash('sha256');
  /** The last bytes so far, which may be those of the hash. */
  #tail: Buffer = Buffer.alloc(0);
  #size = 0;

  update(blob: Uint8Array): void {
    this.#size += blob.length;
    if (blob.length >= HASH_BYTES) {
      this.#hash.update(this.#tail);
      this.#hash.update(blob.subarray(0, -HASH_BYTES));
      this.#tail = Buffer.from(blob.subarray(-HASH_BYTES));
      return;
    }
    const bytes = Buffer.concat([this.#tail, blob]);
    const keptFrom = Math.max(0, bytes.length - HASH_BYTES);
    this.#hash.update(bytes.subarray(0, keptFrom));
    this.#tail = bytes.subarray(keptFrom);
  }

  /** What is wrong, in etcd's words, now that all has passed; undefined if nothing is. */
  problem(): string | undefined {
    if (!hasTrailingHash(this.#size)) return `sha256 checksum not found [bytes: ${this.#size}]`;
    const computed = this.#hash.digest();
    if (computed.equals(this.#tail)) return undefined;
    return `expected sha256 [${[...this.#tail].join(' ')}], got [${[...computed].join(' ')}]`;
  }
}
