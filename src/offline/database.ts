import { join } from 'node:path';
import { EMPTY_BYTES } from '../base/bytes.js';
import { errnoError } from '../platform/errno.js';
import type { Fs } from '../platform/fs.js';
import { nodeFs } from '../platform/node-fs.js';
import type { Row } from '../storage/backend/backend.js';
import { LmdbFile } from '../storage/backend/lmdb-file.js';
import { LMDB_PAGE_BYTES, LmdbFileError, looksLikeLmdb } from '../storage/backend/lmdb-page.js';
import { type LmdbPin, pinLmdbFile } from '../storage/backend/lmdb-pin.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import { type BboltBucket, BboltFile } from '../storage/bbolt/bbolt-file.js';
import type { PageUse } from '../storage/bbolt/page-use.js';
import { DatabaseRowError } from './row-error.js';
import { SnapshotChecksumError, verifyTrailingHash } from './snapshot-checksum.js';

export type { Row };

/** A database file that is not what it should be; both name `file`, `offset` and `reason`. */
export type DatabaseDamage = BboltError | LmdbFileError;

export function isDatabaseDamage(error: unknown): error is DatabaseDamage {
  return error instanceof BboltError || error instanceof LmdbFileError;
}

/** A path where there is no database. */
export class DatabaseNotFoundError extends Error {
  override readonly name = 'DatabaseNotFoundError';
}

/** A server wrote to the file while it was read: what was read may be neither old nor new. */
export class DatabaseChangedError extends Error {
  override readonly name = 'DatabaseChangedError';

  constructor(path: string, cause?: unknown) {
    const message = `${path}: a server wrote to the database while it was read; try again, or read a snapshot of it`;
    super(message, cause === undefined ? {} : { cause });
  }
}

/** `kind` is told by LMDB alone, where large values have pages of their own. */
export type PageVisit = (firstPage: number, count: number, kind?: 'page' | 'value') => void;

export interface DatabaseWalkOptions {
  /** Called with the pages that are read, before what is in them is looked at. */
  readonly visit?: PageVisit | undefined;
  /** From the highest key to the lowest. Default false. */
  readonly reverse?: boolean | undefined;
}

export interface DatabaseBucket {
  readonly name: string;
  /** All pairs in the order of their keys, in batches; views that the receiver may keep. */
  rows(options?: DatabaseWalkOptions): AsyncIterable<readonly Row[]>;
  get(key: Uint8Array): Promise<Buffer | undefined>;
}

/**
 * A database file of either kind, open for reading: nothing is written to it, and no lock of a
 * server stands in the way. All methods throw {@link DatabaseDamage}.
 */
export interface Database {
  readonly kind: 'bbolt' | 'lmdb';
  /** Path of the file. */
  readonly path: string;
  readonly pageBytes: number;
  readonly pageCount: number;
  /** Bytes of all pages. */
  readonly bytes: number;
  /** In the order of their names. */
  buckets(options?: Pick<DatabaseWalkOptions, 'visit'>): AsyncIterable<DatabaseBucket>;
  /** Notes the pages that are free or hold the list of them. @throws DatabaseDamage */
  checkFreePages(use: PageUse): Promise<void>;
  /** Whether a server may have overwritten pages since the file was opened. */
  isChanged(): Promise<boolean>;
  close(): Promise<void>;
}

/** Where a member keeps its database, ours first: it is newer where both are there. */
const PLACES = ['member/snap/db.lmdb', 'member/snap/db', 'db.lmdb', 'db'];
/** Bytes that tell the kind of a file. */
const HEAD_BYTES = 32;

/**
 * The database file that a path means: itself, or that of the data directory (or snap directory).
 * @throws DatabaseNotFoundError, or an ErrnoException ENOENT if there is nothing at all
 */
export async function databasePath(fs: Fs, path: string): Promise<string> {
  const stat = await fs.stat(path);
  if (stat === undefined) throw errnoError('ENOENT', 'stat', path);
  if (!stat.isDirectory) return path;
  for (const place of PLACES) {
    const candidate = join(path, place);
    const found = await fs.stat(candidate);
    if (found !== undefined && !found.isDirectory) return candidate;
  }
  throw new DatabaseNotFoundError(
    `${path}: no database in this directory (looked for ${PLACES.join(', ')})`,
  );
}

/**
 * Opens a database file, a snapshot, or the database of a data directory.
 * @throws DatabaseDamage, DatabaseNotFoundError, ErrnoException
 */
export async function openDatabase(fs: Fs, path: string): Promise<Database> {
  const file = await databasePath(fs, path);
  return (await isLmdb(fs, file)) ? LmdbDatabase.open(fs, file) : BboltDatabase.open(fs, file);
}

/**
 * Reads a database with `work`. Its answer counts only if no server wrote to the file meanwhile, and
 * if the hash at the end of a snapshot is right.
 * @throws DatabaseChangedError, SnapshotChecksumError, and what {@link openDatabase} and `work` throw
 */
export async function readDatabase<T>(
  fs: Fs,
  path: string,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(fs, path);
  try {
    const result = await work(database);
    if (await database.isChanged()) throw new DatabaseChangedError(database.path);
    // Last, because damage to the tree is told with its place.
    if (database.kind === 'bbolt') await verifyTrailingHash(fs, database.path);
    return result;
  } catch (error) {
    if (error instanceof SnapshotChecksumError) {
      throw new SnapshotChecksumError(error.reason, database.path);
    }
    const isSuspect = isDatabaseDamage(error) || error instanceof DatabaseRowError;
    if (!isSuspect) throw error;
    if (await isStillReadableAndChanged(database)) {
      throw new DatabaseChangedError(database.path, error);
    }
    throw error instanceof DatabaseRowError ? await withPlace(database, error) : error;
  } finally {
    await database.close();
  }
}

/** Undefined if the database has no bucket of that name. */
export async function findBucket(
  database: Database,
  name: string,
): Promise<DatabaseBucket | undefined> {
  for await (const bucket of database.buckets()) if (bucket.name === name) return bucket;
  return undefined;
}

async function isLmdb(fs: Fs, path: string): Promise<boolean> {
  const file = await fs.open(path, { read: true });
  try {
    return looksLikeLmdb(await file.read(0, HEAD_BYTES));
  } finally {
    await file.close();
  }
}

async function isStillReadableAndChanged(database: Database): Promise<boolean> {
  try {
    return await database.isChanged();
  } catch (error) {
    if (isDatabaseDamage(error)) return false;
    throw error;
  }
}

/** Who decodes a row does not know where it was read: it is looked for once it proves wrong. */
async function withPlace(database: Database, error: DatabaseRowError): Promise<DatabaseRowError> {
  if (error.place !== undefined) return error;
  const { path, pageBytes } = database;
  let page = 0;
  const visit: PageVisit = (first, _count, kind) => {
    if (kind !== 'value') page = first;
  };
  for await (const bucket of database.buckets({ visit })) {
    if (bucket.name !== error.bucket) continue;
    for await (const rows of bucket.rows({ visit })) {
      if (!rows.some(([key]) => key.equals(error.key))) continue;
      const place = { page, offset: page * pageBytes };
      return new DatabaseRowError(path, error.bucket, error.key, error.reason, place);
    }
  }
  return error;
}

class BboltDatabase implements Database {
  readonly kind = 'bbolt';
  readonly #file: BboltFile;

  private constructor(file: BboltFile) {
    this.#file = file;
  }

  static async open(fs: Fs, path: string): Promise<BboltDatabase> {
    return new BboltDatabase(await BboltFile.open(fs, path));
  }

  get path(): string {
    return this.#file.path;
  }

  get pageBytes(): number {
    return this.#file.pageBytes;
  }

  get pageCount(): number {
    return this.#file.pageCount;
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  async *buckets({ visit }: DatabaseWalkOptions = {}): AsyncGenerator<DatabaseBucket> {
    for await (const bucket of this.#file.buckets(pageVisitor(visit))) yield this.#bucket(bucket);
  }

  checkFreePages(use: PageUse): Promise<void> {
    return use.checkFreelist(this.#file);
  }

  isChanged(): Promise<boolean> {
    return this.#file.isChanged();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #bucket(bucket: BboltBucket): DatabaseBucket {
    const file = this.#file;
    return {
      name: bucket.name.toString('latin1'),
      async *rows({ visit, reverse } = {}) {
        for await (const elements of file.walk(bucket, { visit: pageVisitor(visit), reverse })) {
          yield elements.map(({ key, value }): Row => [key, value]);
        }
      },
      get: (key) => file.get(bucket, key),
    };
  }
}

function pageVisitor(visit: PageVisit | undefined): Parameters<BboltFile['buckets']>[0] {
  return visit && (({ header }) => visit(header.id, header.overflow + 1));
}

class LmdbDatabase implements Database {
  readonly kind = 'lmdb';
  readonly pageBytes = LMDB_PAGE_BYTES;
  readonly #file: LmdbFile;
  readonly #pin: LmdbPin | undefined;

  private constructor(file: LmdbFile, pin: LmdbPin | undefined) {
    this.#file = file;
    this.#pin = pin;
  }

  static async open(fs: Fs, path: string): Promise<LmdbDatabase> {
    // Trap: the state that is read must be one that was committed after the transaction began.
    const pin = fs === nodeFs ? await pinLmdbFile(fs, path) : undefined;
    try {
      return new LmdbDatabase(await LmdbFile.open(fs, path), pin);
    } catch (error) {
      await pin?.release();
      throw error;
    }
  }

  get path(): string {
    return this.#file.path;
  }

  get pageCount(): number {
    return this.#file.pageCount;
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  async *buckets({ visit }: DatabaseWalkOptions = {}): AsyncGenerator<DatabaseBucket> {
    const file = this.#file;
    for await (const { name, tree } of file.tables({ visit })) {
      yield {
        name: name.toString('latin1'),
        rows: (options = {}) => file.rows(tree, options),
        get: (key) => file.get(tree, key),
      };
    }
  }

  async checkFreePages(use: PageUse): Promise<void> {
    const visit = (first: number, count: number) => use.visit(pageGroup(this, first, count));
    for await (const _rows of this.#file.rows(this.#file.meta.freePages, { visit }));
  }

  async isChanged(): Promise<boolean> {
    return this.#pin === undefined && (await this.#file.isChanged());
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#pin?.release();
  }
}

/** Pages in the form that {@link PageUse} takes. */
export function pageGroup(
  { path, pageBytes }: Pick<Database, 'path' | 'pageBytes'>,
  first: number,
  count: number,
): Parameters<PageUse['visit']>[0] {
  const header = { id: first, overflow: count - 1, flags: 0, count: 0 };
  return { header, site: { file: path, offset: first * pageBytes }, bytes: EMPTY_BYTES };
}
