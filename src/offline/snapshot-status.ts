import { crc32c } from '../base/crc32c.js';
import type { Fs } from '../platform/fs.js';
import { DecodeError } from '../proto/decode-error.js';
import { keyOf } from '../proto/hot/key-value.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import { BboltFile } from '../storage/bbolt/bbolt-file.js';
import type { StoredElement } from '../storage/bbolt/leaf.js';
import { PageUse } from '../storage/bbolt/page-use.js';
import {
  isTombstoneKey,
  mainRevisionOf,
  REVISION_KEY_BYTES,
} from '../storage/mvcc/revision-key.js';
import { LiveKeys } from './live-keys.js';

export { BboltError };

/** What `snapshot status` tells of a file (reference: cli 10.1). */
export interface SnapshotStatus {
  /** CRC-32C of the names of all buckets and of all their pairs. */
  readonly hash: number;
  /** Main revision of the last change, 0 if there is none. */
  readonly revision: number;
  /** Keys that exist. Trap: etcd before 3.6 counts all pairs of all buckets instead. */
  readonly totalKey: number;
  /** Bytes of the pages. */
  readonly totalSize: number;
  /** Version of the schema; empty for data of etcd 3.5 and older. */
  readonly version: string;
}

export interface SnapshotStatusOptions {
  /** Told now and then how many bytes of how many were read. */
  readonly onProgress?: (read: number, total: number) => void;
}

/**
 * Reads every page of a snapshot or of a member's `db`, checks the tree as bbolt's own check does,
 * and sums it up. The checksum behind the pages plays no part here.
 * @throws BboltError if the file is damaged
 * @throws ErrnoException if it can't be read
 */
export async function snapshotStatus(
  fs: Fs,
  path: string,
  options: SnapshotStatusOptions = {},
): Promise<SnapshotStatus> {
  const file = await BboltFile.open(fs, path);
  try {
    return await sumUp(file, options);
  } finally {
    await file.close();
  }
}

async function sumUp(
  file: BboltFile,
  { onProgress }: SnapshotStatusOptions,
): Promise<SnapshotStatus> {
  const use = new PageUse(file.pageCount);
  const keyspace = new Keyspace(file.path);
  let hash = 0;
  let version = '';
  let read = 0;
  for await (const bucket of file.buckets(use.visit)) {
    hash = crc32c(bucket.name, hash);
    const name = bucket.name.toString('latin1');
    for await (const rows of file.rows(bucket, use.visit)) {
      for (const row of rows) {
        hash = crc32c(row.value, crc32c(row.key, hash));
        read += row.key.length + row.value.length;
        if (name === 'key') keyspace.add(row);
        else if (name === 'meta' && row.key.equals(VERSION_KEY)) version = row.value.toString();
      }
      onProgress?.(read, file.bytes);
    }
  }
  await use.checkFreelist(file);
  const { revision, totalKey } = keyspace;
  return { hash, revision, totalKey, totalSize: file.bytes, version };
}

const VERSION_KEY = Buffer.from('storageVersion');
const SEPARATOR = 0x5f;

/** Sums up the bucket `key`. */
class Keyspace {
  revision = 0;
  readonly #path: string;
  readonly #live = new LiveKeys();

  constructor(path: string) {
    this.#path = path;
  }

  get totalKey(): number {
    return this.#live.count;
  }

  add({ key, value }: StoredElement): void {
    const isTombstone = isTombstoneKey(key);
    const length = isTombstone ? REVISION_KEY_BYTES + 1 : REVISION_KEY_BYTES;
    if (key.length !== length || key[8] !== SEPARATOR) {
      throw this.#error(`cannot parse revision key: ${key.toString('hex')}`);
    }
    this.revision = mainRevisionOf(key);
    const name = this.#userKey(key, value);
    if (isTombstone) this.#live.delete(name);
    else this.#live.put(name);
  }

  #userKey(key: Buffer, value: Buffer): Buffer {
    try {
      return keyOf(value);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw this.#error(`cannot unmarshal value, key: ${key.toString('hex')}: ${error.message}`);
    }
  }

  #error(reason: string): BboltError {
    const site = { file: this.#path, offset: 0 };
    return new BboltError(site, `error during bucket key iteration, name: "key" err: ${reason}`);
  }
}
