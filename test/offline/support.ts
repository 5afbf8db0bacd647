import { join } from 'node:path';
import { silentLogger } from '../../src/base/logger.js';
import {
  type ExportOptions,
  type ExportSummary,
  exportDataDirectory,
} from '../../src/offline/export/export-data-directory.js';
import { acquireDirectoryLock } from '../../src/platform/directory-lock.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { encodeKeyValue, encodeTombstone } from '../../src/proto/hot/key-value.js';
import { decodeMember } from '../../src/server/membership/member.js';
import type { Row } from '../../src/storage/backend/backend.js';
import { planImage, writeImage } from '../../src/storage/bbolt/image.js';
import { encodeRevisionKey } from '../../src/storage/mvcc/revision-key.js';
import { putFile } from '../storage/wal/support.js';

/** A change of one key; without a value it is a deletion. */
export interface KeyChange {
  readonly main: number;
  readonly sub?: number;
  readonly key: string;
  readonly value?: string | Buffer;
  readonly create?: number;
  readonly version?: number;
  readonly lease?: bigint;
}

/** The row of the bucket `key` that etcd writes for a change. */
export function keyRow(change: KeyChange): Row {
  const { main, sub = 0, value, create = main, version = 1, lease = 0n } = change;
  const key = Buffer.from(change.key);
  if (value === undefined) return [encodeRevisionKey(main, sub, true), encodeTombstone(key)];
  const encoded = encodeKeyValue({
    key,
    createRevision: create,
    modRevision: main,
    version,
    value: Buffer.from(value),
    lease,
  });
  return [encodeRevisionKey(main, sub), encoded];
}

/** The bytes of a bbolt file with these buckets. */
export function bboltImage(buckets: Readonly<Record<string, readonly Row[]>>): Buffer {
  const source = {
    buckets: Object.keys(buckets).sort(),
    rows: (name: string) => buckets[name] ?? [],
  };
  const planning = planImage(source);
  for (let step = planning.next(); ; step = planning.next()) {
    if (step.done) return Buffer.concat([...writeImage(source, step.value)]);
  }
}

/** A file system in memory with one file, `/db`. */
export async function withFile(bytes: Buffer): Promise<MemoryFs> {
  const fs = new MemoryFs({ tracked: false });
  await putFile(fs, '/db', bytes);
  return fs;
}

/** Exports a data directory of ours as the command does. */
export function exportTo(
  data: string,
  output: string,
  overrides: Partial<ExportOptions> = {},
): Promise<ExportSummary> {
  return exportDataDirectory({
    fs: nodeFs,
    clock: nodeClock,
    logger: silentLogger,
    dataDirectory: data,
    walDirectory: join(data, 'member/wal'),
    outputDirectory: output,
    target: '3.5',
    decodeMember,
    takeDirectory: acquireDirectoryLock,
    ...overrides,
  });
}
