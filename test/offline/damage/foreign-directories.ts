import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import type { Entry } from '../../../src/raft/types.js';
import { readRecords } from '../../../src/storage/wal/record-reader.js';
import {
  decodeHardState,
  decodeLogEntry,
  decodeSnapshotRecord,
  RecordType,
} from '../../../src/storage/wal/record-types.js';
import { listSegments } from '../../../src/storage/wal/segments.js';
import { WalWriter } from '../../../src/storage/wal/writer.js';
import { startEtcd } from '../../../src/testing.js';
import { withClient } from '../../support/etcd-contents.js';
import { startRealEtcd } from '../../support/real-etcd.js';
import { tempDir } from '../../support/temp-dir.js';
import { exportIt, type Files, filesOf, withShortLog, writeFiles } from './data-directories.js';
import { bboltContent } from './extents.js';
import { recordedMember, withoutRoom } from './sound-files.js';

const DATABASE = 'member/snap/db';
const SEGMENT_BYTES = 8192;

/** The directory of a recorded etcd that was killed. */
export async function killedDirectory(version: string): Promise<Files> {
  const files = new Map<string, Buffer>();
  for (const [path, bytes] of await recordedMember(version)) files.set(`member/${path}`, bytes);
  const data = join(await tempDir(), 'data');
  await writeFiles(data, files);
  return shortened(await filesOf(data), data);
}

/** As {@link killedDirectory}, with its log in several segments. */
export async function segmentedDirectory(version: string): Promise<Files> {
  const data = join(await tempDir(), 'data');
  await writeFiles(data, await killedDirectory(version));
  const from = join(data, 'member/wal');
  const to = join(data, 'segments');
  await mkdir(to);
  let writer: WalWriter | undefined;
  await readRecords(
    nodeFs,
    from,
    await listSegments(nodeFs, from, silentLogger),
    async (record) => {
      if (record.type === RecordType.Metadata) {
        const options = { clock: nodeClock, segmentBytes: SEGMENT_BYTES };
        writer ??= await WalWriter.create(
          nodeFs,
          join(to, 'wal'),
          Buffer.from(record.data),
          options,
        );
      } else if (record.type === RecordType.Entry) {
        await writer?.save(undefined, [decodeLogEntry(Buffer.from(record.data)) as Entry]);
      } else if (record.type === RecordType.State) {
        await writer?.save(decodeHardState(record.data), []);
      } else if (record.type === RecordType.Snapshot) {
        const snapshot = decodeSnapshotRecord(record.data);
        if (snapshot.index > 0) await writer?.saveSnapshot(snapshot);
      }
    },
  );
  await writer?.close();
  const files = new Map(await filesOf(data));
  for (const [path, bytes] of [...files]) {
    if (!path.endsWith('.wal')) continue;
    files.delete(path);
    if (path.startsWith('segments/')) files.set(`member/${path.slice('segments/'.length)}`, bytes);
  }
  const segmented = join(await tempDir(), 'data');
  await writeFiles(segmented, files);
  return shortened(files, segmented);
}

/** The directory of a member whose log begins with a snapshot, and that ended in peace. */
export async function exportedDirectory(version: string): Promise<Files> {
  const parent = await tempDir();
  const data = join(parent, 'data');
  const output = join(parent, 'output');
  await writeFiles(data, await killedDirectory(version));
  const etcd = await startEtcd({ storage: { directory: data } });
  await etcd.stop();
  await exportIt(data, output);
  return shortened(await filesOf(output), output);
}

/** The directory of the etcd that is installed, with several `.snap` files. */
export async function realDirectory(end: 'kill' | 'terminate'): Promise<Files> {
  const dataDir = join(await tempDir(), 'data');
  const etcd = await startRealEtcd({ dataDir, flags: ['--snapshot-count=25'] });
  try {
    await withClient(etcd.endpoint, async ({ kv, lease }) => {
      await lease.grant({ ID: 77n, TTL: 3600 });
      for (let n = 0; n < 90; n++) {
        const key = Buffer.from(`/registry/pods/${n % 40}`);
        await kv.put({ key, value: Buffer.alloc(n * 5, n), lease: n % 10 === 0 ? 77n : 0n });
        if (n % 30 === 29) await kv.deleteRange({ key });
      }
      await kv.compact({ revision: 30, physical: true });
    });
    await etcd[end]();
    return await shortened(await filesOf(dataDir), dataDir);
  } finally {
    await etcd.stop();
  }
}

/** Without what means nothing behind the pages of the database and the records of the log. */
async function shortened(files: Files, directory: string): Promise<Files> {
  const database = withoutRoom(files.get(DATABASE) ?? Buffer.alloc(0));
  return new Map([...(await withShortLog(files, directory)), [DATABASE, database]]);
}

/** What no checksum covers in the database of such a directory. */
export function databaseContent(files: Files) {
  return bboltContent(files.get(DATABASE) ?? Buffer.alloc(0));
}
