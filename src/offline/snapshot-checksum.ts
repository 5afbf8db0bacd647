import { createHash } from 'node:crypto';
import type { Fs } from '../platform/fs.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import { fileChunks } from './file-chunks.js';

/** Length of the hash at the end of a saved snapshot. */
export const HASH_BYTES = 32;
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
    return computed.equals(this.#tail) ? undefined : mismatchText(this.#tail, computed);
  }
}

/** What etcd says of a hash that is of something else. */
export function mismatchText(stored: Buffer, computed: Buffer): string {
  return `expected sha256 [${[...stored].join(' ')}], got [${[...computed].join(' ')}]`;
}

/** A snapshot is not what was saved. `message` is etcd's, behind the name of the file if that is given. */
export class SnapshotChecksumError extends Error {
  override readonly name = 'SnapshotChecksumError';
  readonly reason: string;

  constructor(reason: string, file?: string) {
    super(file === undefined ? reason : `${file}: ${reason}`);
    this.reason = reason;
  }
}

/**
 * Compares a file with the hash at its end, if it has one: a copy of a member's `db` has none.
 * @param onRead told now and then how many bytes were read; what it throws ends the reading
 * @throws SnapshotChecksumError
 * @throws BboltError if it ends neither with a page nor with a hash
 * @throws ErrnoException if it can't be read
 */
export async function verifyTrailingHash(
  fs: Fs,
  path: string,
  onRead: (bytes: number) => void = () => {},
): Promise<void> {
  const file = await fs.open(path, { read: true });
  try {
    const size = await file.size();
    if (!hasTrailingHash(size)) {
      const left = size % SECTOR_BYTES;
      if (left === 0) return;
      const reason = `${left} bytes after its last page, where a hash has ${HASH_BYTES}`;
      throw new BboltError({ file: path, offset: size - left }, reason);
    }
    const checksum = new SnapshotChecksum();
    let read = 0;
    for await (const chunk of fileChunks(file, size)) {
      checksum.update(chunk);
      read += chunk.length;
      onRead(read);
    }
    const problem = checksum.problem();
    if (problem !== undefined) throw new SnapshotChecksumError(problem);
  } finally {
    await file.close();
  }
}
