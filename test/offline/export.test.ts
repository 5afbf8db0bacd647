import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fileHashKv } from '../../src/offline/file-hash-kv.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { ClusterVersionSetRequest } from '../../src/proto/gen/membershippb/membership.js';
import { EntryType } from '../../src/proto/gen/raftpb/raft.js';
import { encodeInternalRequest } from '../../src/proto/hot/internal-request.js';
import { LmdbBackend } from '../../src/storage/backend/lmdb.js';
import { BboltFile } from '../../src/storage/bbolt/bbolt-file.js';
import { readWal, validSnapshots, WAL_BEGINNING } from '../../src/storage/wal/reader.js';
import { readWalWithRepair } from '../../src/storage/wal/repair.js';
import { WalWriter } from '../../src/storage/wal/writer.js';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { contentsOf, fillEtcd } from '../support/etcd-contents.js';
import { tempDir } from '../support/temp-dir.js';
import { exportTo } from './support.js';

async function serve(directory: string): Promise<TestEtcd> {
  const etcd = await startEtcd({ storage: { directory } });
  onTestFinished(() => etcd.stop());
  return etcd;
}

/** A data directory of ours with all sorts of things in it, and a place beside it. */
async function filledDirectory() {
  const directory = await tempDir();
  const data = join(directory, 'data');
  const etcd = await serve(data);
  await fillEtcd(etcd.endpoint, 200);
  const contents = await contentsOf(etcd.endpoint);
  await etcd.stop();
  return { directory, data, output: join(directory, 'output'), contents };
}

/** Rows of a bucket of an exported database. */
async function keysOf(output: string, bucket: string): Promise<string[]> {
  const file = await BboltFile.open(nodeFs, join(output, 'member/snap/db'));
  try {
    const keys: string[] = [];
    for await (const each of file.buckets()) {
      if (each.name.toString() !== bucket) continue;
      for await (const rows of file.rows(each)) keys.push(...rows.map(({ key }) => String(key)));
    }
    return keys;
  } finally {
    await file.close();
  }
}

/** Sets the database back, as a crash does before it is committed. */
async function setBack(data: string, index: number): Promise<void> {
  const directory = join(data, 'member/snap');
  const backend = await LmdbBackend.open({ directory, clock: nodeClock });
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(index, 4);
  backend.put('meta', Buffer.from('consistent_index'), bytes);
  await backend.close();
}

/** Appends an entry to the log of a stopped member; returns its index. */
async function append(data: string, entry: Buffer): Promise<number> {
  const wal = join(data, 'member/wal');
  const { tail, hardState } = await readWalWithRepair(nodeFs, wal, WAL_BEGINNING);
  const writer = await WalWriter.resume(nodeFs, wal, tail, { clock: nodeClock });
  const { term = 0 } = hardState ?? {};
  const index = tail.lastIndex + 1;
  await writer.save(hardState, [{ type: EntryType.EntryNormal, term, index, data: entry }]);
  await writer.close();
  return index;
}

describe('exportDataDirectory', () => {
  it('makes a directory with the same contents, and leaves the old one alone', async () => {
    const { directory, data, output, contents } = await filledDirectory();
    const { index, term, entries, bytes } = await exportTo(data, output);
    expect(entries).toBe(0);
    const points = await validSnapshots(nodeFs, join(output, 'member/wal'));
    expect(points.at(-1)).toMatchObject({ index, term });
    expect((await nodeFs.stat(join(output, 'member/snap/db')))?.size).toBe(bytes);
    expect((await fileHashKv(nodeFs, output, 0)).hash).toBe(contents.hash);
    expect((await readdir(directory)).sort()).toEqual(['data', 'output']);
    const taken = await serve(output);
    expect(await contentsOf(taken.endpoint)).toEqual(contents);
    const source = await serve(data);
    expect(await contentsOf(source.endpoint)).toEqual(contents);
  });

  it('leaves out what an older etcd does not start with', async () => {
    const { data, output } = await filledDirectory();
    await exportTo(data, output);
    const meta = ['confState', 'consistent_index', 'finishedCompactRev', 'scheduledCompactRev'];
    expect(await keysOf(output, 'meta')).toEqual([...meta, 'term']);
    expect(await keysOf(output, 'cluster')).toEqual([]);
    await exportTo(data, `${output}-3.4`, { target: '3.4' });
    expect(await keysOf(`${output}-3.4`, 'meta')).toEqual(meta.slice(1));
  });

  it('keeps the entries that the database lacks', async () => {
    const { data, output, contents } = await filledDirectory();
    const { entries: log } = await readWal(nodeFs, join(data, 'member/wal'));
    const last = log.at(-1)?.index ?? 0;
    await setBack(data, last - 1);
    const { index, entries } = await exportTo(data, output);
    expect({ index, entries }).toEqual({ index: last - 1, entries: 1 });
    const exported = await readWal(nodeFs, join(output, 'member/wal'), {
      index,
      term: log.at(-1)?.term ?? 0,
    });
    expect(exported.entries).toEqual([log.at(-1)]);
    expect(exported.hardState?.commit).toBe(last);
    const taken = await serve(output);
    // The last entry grants a role that is granted already.
    expect(await contentsOf(taken.endpoint)).toEqual(contents);
  });

  it('refuses an entry that not every etcd can read', async () => {
    const { data, output } = await filledDirectory();
    const request = ClusterVersionSetRequest.encode({ ver: '3.7.0' }).finish();
    const header = { id: 1n, username: '', authRevision: 0 };
    const index = await append(data, encodeInternalRequest(header, 'clusterVersionSet', request));
    await expect(exportTo(data, output)).rejects.toThrow(
      `the log entry ${index} (clusterVersionSet) is not in the database yet`,
    );
    // The way out that it names.
    await (await serve(data)).stop();
    await exportTo(data, output);
  });

  it('refuses a directory that a server uses, and no other', async () => {
    const { data, output } = await filledDirectory();
    const etcd = await serve(data);
    await expect(exportTo(data, output)).rejects.toThrow('is in use by another server');
    await etcd.stop();
    await exportTo(data, output);
  });

  it('refuses an output that is there, a source that is none, and a log that is elsewhere', async () => {
    const { directory, data, output } = await filledDirectory();
    await mkdir(output);
    await writeFile(join(output, 'mine'), '');
    await expect(exportTo(data, output)).rejects.toThrow('not empty or could not be read');
    await rm(output, { recursive: true });
    await expect(exportTo(directory, output)).rejects.toThrow('is no data directory of etcdkit');
    const walDirectory = join(directory, 'wal');
    await expect(exportTo(data, output, { walDirectory })).rejects.toThrow('--wal-dir');
    expect(await readdir(directory)).toEqual(['data']);
  });

  it.each(['rename', 'syncDirectory'] as const)(
    'leaves nothing half-made if the disk fails a %s, and what a crash left is no obstacle',
    async (operation) => {
      const { directory, data, output } = await filledDirectory();
      let count = 0;
      for (let failAt = 1; ; failAt++) {
        count = 0;
        const fs = {
          ...nodeFs,
          [operation]: (...args: [string, string]) =>
            ++count === failAt ? Promise.reject(new Error('no more')) : nodeFs[operation](...args),
        };
        const failed = await exportTo(data, output, { fs }).then(
          () => undefined,
          (error: Error) => error.message,
        );
        if (failed === undefined) break;
        expect(failed).toContain('no more');
        expect(await readdir(directory)).toEqual(['data']);
      }
      expect(count).toBeGreaterThan(1);
      await rm(output, { recursive: true });
      await mkdir(`${output}.restore.tmp/made/member/snap`, { recursive: true });
      await writeFile(`${output}.restore.tmp/made/member/snap/db`, 'half a file');
      await exportTo(data, output);
      expect((await readdir(directory)).sort()).toEqual(['data', 'output']);
    },
  );
});
