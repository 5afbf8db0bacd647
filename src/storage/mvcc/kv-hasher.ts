import { crc32c } from '../../base/crc32c.js';
import { isTombstoneKey, mainRevisionOf } from './revision-key.js';

/** A hash of the `key` bucket, as HashKV answers it. */
export interface KeyValueHash {
  /** CRC-32C, unsigned. */
  readonly hash: number;
  /** The revision compacted before the hashed state; -1 if there was none. */
  readonly compactRevision: number;
  /** The revision that was hashed. */
  readonly revision: number;
}

/** Whether a row at or below the compacted revision is part of the hashed state. */
export type KeepRow = (key: Buffer, value: Buffer) => boolean;

const SEED = crc32c(Buffer.from('key', 'latin1'));

/**
 * Hashes rows of the `key` bucket as etcd does, so that members can compare (reference: semantics
 * 3.8, formats 6). Rows must be fed in bucket order.
 */
export class KeyValueHasher {
  readonly #compactRevision: number;
  readonly #revision: number;
  readonly #keep: KeepRow | undefined;
  #crc = SEED;

  /**
   * `keep` undefined means that no key is visible at the revision.
   *
   * Trap: then nothing at or below the compacted revision is left out, so that members that are
   * not equally far with deleting it can differ. etcd does so too.
   */
  constructor(compactRevision: number, revision: number, keep: KeepRow | undefined) {
    this.#compactRevision = compactRevision;
    this.#revision = revision;
    this.#keep = keep;
  }

  add(key: Buffer, value: Buffer): void {
    const main = mainRevisionOf(key);
    if (main > this.#revision) {
      return;
    }
    if (main <= this.#compactRevision) {
      if (this.#keep !== undefined && !this.#keep(key, value)) {
        return;
      }
      // Older servers drop a tombstone at exactly the compacted revision, newer ones keep it.
      if (main === this.#compactRevision && isTombstoneKey(key)) {
        return;
      }
    }
    this.#crc = crc32c(value, crc32c(key, this.#crc));
  }

  get result(): KeyValueHash {
    return {
      hash: this.#crc,
      compactRevision: this.#compactRevision,
      revision: this.#revision,
    };
  }
}

/** Hashes of finished compactions kept, as in etcd. */
const STORED_HASHES = 10;

/** The hashes taken while compacting: those of the highest revisions. */
export class CompactionHashes {
  #hashes: KeyValueHash[] = [];

  store(hash: KeyValueHash): void {
    this.#hashes = [...this.#hashes, hash]
      .sort((a, b) => a.revision - b.revision)
      .slice(-STORED_HASHES);
  }

  /** Forgets them all: the contents they were taken of are gone. */
  clear(): void {
    this.#hashes = [];
  }

  of(revision: number): KeyValueHash | undefined {
    return this.#hashes.find((hash) => hash.revision === revision);
  }

  /** Newest last. */
  get all(): readonly KeyValueHash[] {
    return this.#hashes;
  }
}
