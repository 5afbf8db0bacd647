import type { FileHandle, Fs } from '../platform/fs.js';
import { BUCKETS, type Row } from '../storage/backend/backend.js';
import {
  decodeLmdbLeaf,
  flagsOf,
  LMDB_PAGE_BYTES,
  LmdbFileError,
  LmdbPageKind,
  looksLikeLmdb,
  META_PAGES,
  type OverflowValue,
  overflowPagesOf,
  PAGE_HEADER_BYTES,
} from '../storage/backend/lmdb-page.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import { decodeLeaf } from '../storage/bbolt/leaf.js';
import { decodeMetaPage } from '../storage/bbolt/meta.js';
import { decodePageHeader, PAGE_BYTES, PageKind } from '../storage/bbolt/page.js';
import { FileWindows } from '../storage/file-windows.js';
import { databasePath } from './database.js';
import { isRevisionKey } from './keyspace.js';

const WINDOW_BYTES = 256 * 1024;
/** Longest run of pages that is read as one, bytes. */
const MAX_GROUP_BYTES = 1024 * 1024 * 1024;

const BUCKET_NAMES: ReadonlySet<string> = new Set([...BUCKETS, 'test']);

/** Whether a key is the name of a bucket: its leaf is that of the buckets. */
export function isBucketName(key: Buffer): boolean {
  return BUCKET_NAMES.has(key.toString('latin1'));
}

/** A leaf that was found, or a page that can't be read. */
export type ScannedPage =
  | { readonly page: number; readonly rows: readonly Row[] }
  | { readonly page: number; readonly problem: string };

/**
 * Goes through a database file page by page and gives every leaf it meets, whether a tree still
 * leads there or not: what survives in a damaged file, and what was deleted and not overwritten.
 * @throws BboltError if the first page of a bbolt file is damaged
 * @throws what databasePath throws, ErrnoException
 */
export async function* scanLeaves(fs: Fs, path: string): AsyncGenerator<ScannedPage> {
  const file = await fs.open(await databasePath(fs, path), { read: true });
  try {
    const head = await file.read(0, PAGE_BYTES);
    yield* looksLikeLmdb(head) ? scanLmdb(file) : scanBbolt(file, head);
  } finally {
    await file.close();
  }
}

async function* scanBbolt(file: FileHandle, head: Buffer): AsyncGenerator<ScannedPage> {
  const meta = decodeMetaPage(head, 0);
  if (typeof meta === 'string') throw new BboltError({ file: file.path, offset: 0 }, meta);
  const { pageBytes, highWaterMark } = meta;
  const windows = new FileWindows(file, Math.max(WINDOW_BYTES, pageBytes));
  let next = 2;
  while (next < highWaterMark) {
    const page = next++;
    const offset = page * pageBytes;
    const first = await windows.read(offset, pageBytes);
    if (first.length < pageBytes) return yield { page, problem: 'the file ends before it' };
    const { id, flags, overflow } = decodePageHeader(first, 0);
    if (flags !== PageKind.leaf && flags !== PageKind.branch) continue;
    const bytes = (overflow + 1) * pageBytes;
    if (id !== page || page + overflow >= highWaterMark || bytes > MAX_GROUP_BYTES) {
      yield { page, problem: `it says that it is page ${id} with ${overflow} more` };
      continue;
    }
    next += overflow;
    if (flags === PageKind.branch) continue;
    const whole = overflow === 0 ? first : await file.read(offset, bytes);
    try {
      const elements = decodeLeaf(whole, { file: file.path, offset });
      yield { page, rows: elements.map(({ key, value }): Row => [key, value]) };
    } catch (error) {
      if (!(error instanceof BboltError)) throw error;
      yield { page, problem: error.reason };
      // A wrong header may have claimed pages of others.
      next = page + 1;
    }
  }
}

async function* scanLmdb(file: FileHandle): AsyncGenerator<ScannedPage> {
  const pageCount = Math.floor((await file.size()) / LMDB_PAGE_BYTES);
  const windows = new FileWindows(file, WINDOW_BYTES);
  let next = META_PAGES;
  while (next < pageCount) {
    const page = next++;
    const bytes = await windows.read(page * LMDB_PAGE_BYTES, LMDB_PAGE_BYTES);
    const flags = flagsOf(bytes);
    if ((flags & LmdbPageKind.overflow) !== 0) next += Math.max(0, overflowPagesOf(bytes) - 1);
    if (flags !== LmdbPageKind.leaf) continue;
    try {
      yield { page, rows: await leafRows(file, page, bytes, pageCount) };
    } catch (error) {
      if (!(error instanceof LmdbFileError)) throw error;
      yield { page, problem: error.reason };
    }
  }
}

/**
 * Only rows of the bucket `key`, as other tables have leaves of their own; a value that is out of
 * reach is left out.
 */
async function leafRows(
  file: FileHandle,
  number: number,
  bytes: Buffer,
  pageCount: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { key, value, kind } of decodeLmdbLeaf({ file: file.path, number, bytes })) {
    if (!isRevisionKey(key)) continue;
    if (kind === 'value') rows.push([key, value as Buffer]);
    if (kind !== 'overflow') continue;
    const { first, pages, bytes: length } = value as OverflowValue;
    if (first + pages > pageCount || length > MAX_GROUP_BYTES) continue;
    rows.push([key, await file.read(first * LMDB_PAGE_BYTES + PAGE_HEADER_BYTES, length)]);
  }
  return rows;
}
