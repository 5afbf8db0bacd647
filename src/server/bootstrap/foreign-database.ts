import type { Fs } from '../../platform/fs.js';
import type { ConfState } from '../../raft/types.js';
import type { Bucket, Row } from '../../storage/backend/backend.js';
import { BboltError } from '../../storage/bbolt/bbolt-error.js';
import { BboltFile } from '../../storage/bbolt/bbolt-file.js';
import { decodeConfState } from '../apply/conf-state-json.js';
import type { StoredVersions } from './version-rules.js';

/** The database of another etcd, as the head of its file describes it. */
export class ForeignDatabase {
  readonly file: BboltFile;
  /** The last entry of the log that is in it; 0 if none is, or none was noted. */
  readonly consistentIndex: number;
  readonly versions: StoredVersions;
  /** Who votes and who learns; undefined if it is not noted, as up to 3.4. */
  readonly confState: ConfState | undefined;
  /** Rows of the bucket `cluster`. */
  readonly clusterRows: readonly Row[];
  /** Whether it has any key. */
  readonly hasKeys: boolean;

  private constructor(
    file: BboltFile,
    meta: ReadonlyMap<string, Buffer>,
    clusterRows: readonly Row[],
    hasKeys: boolean,
  ) {
    this.file = file;
    this.clusterRows = clusterRows;
    this.hasKeys = hasKeys;
    this.consistentIndex = numberOf(file, meta.get('consistent_index'));
    const confState = meta.get('confState');
    this.confState = confState && decodeConfState(confState.toString());
    const cluster = clusterRows.find(([key]) => key.toString('latin1') === 'clusterVersion');
    this.versions = {
      storage: meta.get('storageVersion')?.toString('latin1'),
      cluster: cluster?.[1].toString('latin1'),
    };
  }

  /**
   * Opens a file for reading alone; close it. Nothing but a few small buckets is read.
   * @throws BboltError, ErrnoException
   */
  static async open(fs: Fs, path: string): Promise<ForeignDatabase> {
    const file = await BboltFile.open(fs, path);
    try {
      const meta = await rowsOf(file, 'meta');
      const byKey = new Map(meta.map(([key, value]) => [key.toString('latin1'), value]));
      const clusterRows = await rowsOf(file, 'cluster');
      return new ForeignDatabase(file, byKey, clusterRows, await hasRows(file, 'key'));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Rows of the bucket `members`. @throws BboltError */
  memberRows(): Promise<Row[]> {
    return rowsOf(this.file, 'members');
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

async function rowsOf(file: BboltFile, name: Bucket): Promise<Row[]> {
  const bucket = await file.bucket(name);
  const rows: Row[] = [];
  if (bucket === undefined) return rows;
  for await (const elements of file.rows(bucket)) {
    for (const { key, value } of elements) rows.push([key, value]);
  }
  return rows;
}

async function hasRows(file: BboltFile, name: Bucket): Promise<boolean> {
  const bucket = await file.bucket(name);
  if (bucket === undefined) return false;
  for await (const elements of file.rows(bucket)) if (elements.length > 0) return true;
  return false;
}

function numberOf(file: BboltFile, bytes: Buffer | undefined): number {
  if (bytes === undefined) return 0;
  if (bytes.length === 8) return Number(bytes.readBigUInt64BE(0));
  const site = { file: file.path, offset: 0 };
  throw new BboltError(site, `consistent_index has ${bytes.length} bytes instead of 8`);
}
