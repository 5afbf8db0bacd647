import { BUCKETS, type Bucket, type Row, type RowBatch } from '../../storage/backend/backend.js';
import type { BboltFile } from '../../storage/bbolt/bbolt-file.js';
import { type DatabaseRowsOptions, databaseRows } from '../../storage/bbolt/database-rows.js';
import { encodeRevisionKey, mainRevisionOf } from '../../storage/mvcc/revision-key.js';
import { userKeyOf } from '../key-rows.js';

/** A member that the restored cluster begins with. */
export interface RestoredMember {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  /** It as JSON: the value of its row and the context of its log entry (reference: formats 4.4). */
  readonly context: Buffer;
}

/** Who the restored member is, and with whom. */
export interface RestoredCluster {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** By ascending id. */
  readonly peers: readonly RestoredMember[];
}

/** The log of a restored member is all in one term. */
export const RESTORED_TERM = 1;

/** What a restore puts in place of rows of the snapshot. */
export interface RowChanges {
  /** New contents of buckets, in the order of their keys. */
  readonly replaced: ReadonlyMap<Bucket, readonly Row[]>;
  /** The last row of the bucket `key`, if revisions are bumped. */
  readonly lastKeyRow: Row | undefined;
}

/** Highest revision of the bucket `key`; 0 if there is none. */
export async function latestRevision(file: BboltFile): Promise<number> {
  const bucket = await file.bucket('key');
  if (bucket === undefined) return 0;
  for await (const [last] of file.walk(bucket, { reverse: true })) {
    if (last === undefined) break;
    userKeyOf(last, file.path);
    return mainRevisionOf(last.key);
  }
  return 0;
}

/**
 * @param bumped revision up to which all counts as compacted; undefined: nothing is bumped
 * @throws BboltError
 */
export async function planChanges(
  file: BboltFile,
  { peers }: RestoredCluster,
  bumped: number | undefined,
): Promise<RowChanges> {
  const members = peers.map(({ id, context }): Row => [Buffer.from(id.toString(16)), context]);
  const revision = bumped === undefined ? undefined : encodeRevisionKey(bumped, 0);
  const replaced = new Map<Bucket, readonly Row[]>([
    ['members', sorted(members)],
    ['members_removed', []],
    ['meta', await restoredMeta(file, peers, revision)],
  ]);
  // Trap: the value is empty: the row is there to be the last one, and belongs to no key.
  const lastKeyRow: Row | undefined =
    revision === undefined ? undefined : [revision, Buffer.alloc(0)];
  return { replaced, lastKeyRow };
}

/**
 * Trap: index and term go back to those of the new, short log. A server would otherwise take all
 * that comes for applied already.
 */
async function restoredMeta(
  file: BboltFile,
  peers: readonly RestoredMember[],
  compacted: Buffer | undefined,
): Promise<Row[]> {
  const rows = new Map<string, Buffer>();
  const bucket = await file.bucket('meta');
  if (bucket !== undefined) {
    for await (const elements of file.rows(bucket)) {
      for (const { key, value } of elements) rows.set(key.toString('latin1'), Buffer.from(value));
    }
  }
  rows.set('consistent_index', u64(peers.length));
  rows.set('term', u64(RESTORED_TERM));
  // etcd leaves the old members here, which no longer are.
  if (rows.has('confState')) rows.set('confState', confStateJson(peers));
  if (compacted !== undefined) rows.set('scheduledCompactRev', compacted);
  return sorted([...rows].map(([key, value]): Row => [Buffer.from(key, 'latin1'), value]));
}

function confStateJson(peers: readonly RestoredMember[]): Buffer {
  const voters = peers.map(({ id }) => String(id)).join(',');
  return Buffer.from(`{"voters":[${voters}],"auto_leave":false}`);
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function sorted(rows: Row[]): Row[] {
  return rows.sort(([a], [b]) => a.compare(b));
}

/** The rows of a snapshot with those changes, every row of `key` checked. @throws BboltError */
export async function* restoredRows(
  file: BboltFile,
  { replaced, lastKeyRow }: RowChanges,
  options: DatabaseRowsOptions = {},
): AsyncGenerator<RowBatch> {
  const inspect: DatabaseRowsOptions['inspect'] = (bucket, element) => {
    if (bucket === 'key') userKeyOf(element, file.path);
  };
  for await (const batch of databaseRows(file, { ...options, inspect })) {
    if (!replaced.has(batch.bucket)) yield batch;
  }
  if (lastKeyRow !== undefined) yield { bucket: 'key', rows: [lastKeyRow] };
  for (const [bucket, rows] of replaced) yield { bucket, rows };
}

/** Every bucket that etcd knows, so that one that is missing comes to be (reference: formats 9). */
export async function withAllBuckets(
  file: BboltFile,
  replaced: RowChanges['replaced'],
): Promise<Map<string, readonly Row[]>> {
  const all = new Map<string, readonly Row[]>(BUCKETS.map((name) => [name, []]));
  for await (const { name } of file.buckets()) all.delete(name.toString('latin1'));
  for (const [name, rows] of replaced) all.set(name, rows);
  return all;
}
