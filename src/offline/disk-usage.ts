import type { Fs } from '../platform/fs.js';
import { mainRevisionOf } from '../storage/mvcc/revision-key.js';
import { type Database, type Row, readDatabase } from './database.js';
import { pageProgress } from './file-hash.js';
import { openKeyspace } from './keyspace.js';
import { classifyRows, RowClass } from './row-classes.js';

/** Pages 0 and 1. */
const META_PAGES = 2;
/** More prefixes are not told apart: all are then taken one level shorter. */
const MAX_PREFIXES = 100_000;

/** Rows of the bucket `key` and their bytes, of keys and values as they are stored. */
export interface Amount {
  readonly rows: number;
  readonly bytes: number;
}

/** What the keys below a prefix are made of. */
export interface PrefixUsage {
  /** Latin-1. */
  readonly prefix: string;
  /** What reads see now: as many rows as keys. */
  readonly live: Amount;
  /** Values that later puts replaced. */
  readonly superseded: Amount;
  /** Values that were deleted, and the marks of the deletions. */
  readonly deleted: Amount;
}

export interface DiskUsage {
  /** The largest first. */
  readonly prefixes: readonly PrefixUsage[];
  readonly total: Omit<PrefixUsage, 'prefix'>;
  /** Levels of the prefixes; fewer than asked for if there were too many. */
  readonly depth: number;
  readonly revision: number;
  /** -1: never compacted. */
  readonly compactRevision: number;
  /** Bytes of all pages of the file. */
  readonly fileBytes: number;
  /** Bytes of its pages that hold something: a defragmentation leaves about as much. */
  readonly usedBytes: number;
  /** What a compaction to the current revision, and a defragmentation, would leave, about. */
  readonly compactedBytes: number;
}

export interface DiskUsageOptions {
  /** Only keys that begin with it, Latin-1. */
  readonly prefix?: string;
  /** Parts of the key that make a prefix; a separator at its beginning does not count. */
  readonly depth: number;
  /** Latin-1, not empty. */
  readonly separator: string;
  readonly onProgress?: ((read: number, total: number) => void) | undefined;
}

/**
 * Sums up what the keys of a database take, by prefix. Memory is bounded by the number of
 * prefixes, and by classifyRows.
 * @throws what readDatabase throws, DatabaseRowError
 */
export function diskUsage(fs: Fs, path: string, options: DiskUsageOptions): Promise<DiskUsage> {
  return readDatabase(fs, path, async (database) => {
    const { bucket, userKeyOf, currentRevision, compactRevision } = await openKeyspace(database);
    const groups = new PrefixGroups(options);
    let keyPages = 0;
    let compactable = 0;
    let all = 0;
    if (bucket !== undefined) {
      const visit = pageProgress(database, options.onProgress);
      const readRows = () => bucket.rows({ visit });
      const classes = await classifyRows(readRows, userKeyOf, currentRevision);
      let ordinal = 0;
      const count = (_page: number, pages: number) => {
        keyPages += pages;
      };
      for await (const rows of bucket.rows({ visit: count })) {
        for (const row of rows) {
          const rowClass = classes.of(ordinal++);
          const bytes = row[0].length + row[1].length;
          all += bytes;
          if (!staysAfterCompaction(row, rowClass, currentRevision)) compactable += bytes;
          groups.add(userKeyOf(row).toString('latin1'), rowClass, bytes);
        }
      }
    }
    const usedBytes = (await usedPages(database, keyPages)) * database.pageBytes;
    const keyBytes = keyPages * database.pageBytes;
    return {
      ...groups.result(),
      revision: currentRevision,
      compactRevision,
      fileBytes: database.bytes,
      usedBytes,
      // Rows take their share of the pages they lie in.
      compactedBytes: Math.round(usedBytes - (all === 0 ? 0 : (keyBytes * compactable) / all)),
    };
  });
}

/** Trap: a deletion at the compacted revision itself stays, for those who watch from there. */
function staysAfterCompaction([key]: Row, rowClass: RowClass, revision: number): boolean {
  if (rowClass === RowClass.live) return true;
  return rowClass === RowClass.deleted && mainRevisionOf(key) === revision;
}

/** Pages in use: those of `key` are counted already. */
async function usedPages(database: Database, keyPages: number): Promise<number> {
  let pages = META_PAGES + keyPages;
  const visit = (_page: number, count: number) => {
    pages += count;
  };
  for await (const bucket of database.buckets({ visit })) {
    if (bucket.name === 'key') continue;
    for await (const _rows of bucket.rows({ visit }));
  }
  return pages;
}

interface MutableAmount {
  rows: number;
  bytes: number;
}

interface MutableUsage {
  live: MutableAmount;
  superseded: MutableAmount;
  deleted: MutableAmount;
}

const KINDS = ['live', 'superseded', 'deleted'] as const;

class PrefixGroups {
  readonly #prefix: string;
  readonly #separator: string;
  #depth: number;
  #groups = new Map<string, MutableUsage>();

  constructor({ prefix = '', separator, depth }: DiskUsageOptions) {
    this.#prefix = prefix;
    this.#separator = separator;
    this.#depth = depth;
  }

  add(key: string, rowClass: RowClass, bytes: number): void {
    if (!key.startsWith(this.#prefix)) return;
    const amount = this.#group(prefixOf(key, this.#separator, this.#depth))[kindOf(rowClass)];
    amount.rows++;
    amount.bytes += bytes;
    while (this.#groups.size > MAX_PREFIXES && this.#depth > 0) this.#shorten();
  }

  result(): Pick<DiskUsage, 'prefixes' | 'total' | 'depth'> {
    const total = emptyUsage();
    const prefixes = [...this.#groups].map(([prefix, usage]) => ({ prefix, ...usage }));
    for (const usage of prefixes) merge(total, usage);
    const bytes = (usage: MutableUsage) =>
      usage.live.bytes + usage.superseded.bytes + usage.deleted.bytes;
    prefixes.sort((a, b) => bytes(b) - bytes(a) || (a.prefix < b.prefix ? -1 : 1));
    return { prefixes, total, depth: this.#depth };
  }

  #group(prefix: string): MutableUsage {
    let group = this.#groups.get(prefix);
    if (group === undefined) {
      group = emptyUsage();
      this.#groups.set(prefix, group);
    }
    return group;
  }

  #shorten(): void {
    const before = this.#groups;
    this.#depth--;
    this.#groups = new Map();
    for (const [prefix, usage] of before) {
      merge(this.#group(prefixOf(prefix, this.#separator, this.#depth)), usage);
    }
  }
}

/**
 * The directory of a key, of `depth` parts at most, with the separator behind it: of `/a/b/c` with 1
 * part `/a/`, with 2 `/a/b/`, with 3 too. A key without a separator is in the directory ''.
 */
export function prefixOf(key: string, separator: string, depth: number): string {
  let end = key.startsWith(separator) ? separator.length : 0;
  if (depth === 0) return '';
  for (let part = 0; part < depth; part++) {
    const next = key.indexOf(separator, end);
    if (next < 0) break;
    end = next + separator.length;
  }
  return key.slice(0, end);
}

function kindOf(rowClass: RowClass): (typeof KINDS)[number] {
  if (rowClass === RowClass.live) return 'live';
  return rowClass === RowClass.superseded ? 'superseded' : 'deleted';
}

function emptyUsage(): MutableUsage {
  const empty = () => ({ rows: 0, bytes: 0 });
  return { live: empty(), superseded: empty(), deleted: empty() };
}

function merge(into: MutableUsage, from: MutableUsage): void {
  for (const kind of KINDS) {
    into[kind].rows += from[kind].rows;
    into[kind].bytes += from[kind].bytes;
  }
}
