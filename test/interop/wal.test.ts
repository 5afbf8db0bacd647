import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeClock } from '../../src/platform/node-clock.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import {
  InternalRaftRequest,
  RequestHeader,
} from '../../src/proto/gen/etcdserverpb/raft_internal.js';
import { PutRequest } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { Snapshotter } from '../../src/storage/snap/snapshotter.js';
import { decodeV2Store, encodeV2Store } from '../../src/storage/snap/v2-store-json.js';
import { readWal, validSnapshots, WAL_BEGINNING } from '../../src/storage/wal/reader.js';
import { readWalWithRepair } from '../../src/storage/wal/repair.js';
import { WalWriter } from '../../src/storage/wal/writer.js';
import { hasRealEtcd, type RealEtcdPorts, startRealEtcd } from '../support/real-etcd.js';
import { tempDir } from '../support/temp-dir.js';

const SEGMENT_BYTES = 16_384;
const OUR_PUTS = 200;

function putEntry(at: number): Buffer {
  const key = Buffer.from(`ours-${String(at).padStart(3, '0')}`);
  const put = PutRequest.create({ key, value: Buffer.alloc(300, 'v') });
  const header = RequestHeader.create({ ID: BigInt(at) });
  return InternalRaftRequest.encode(InternalRaftRequest.create({ header, put })).finish();
}

/** Appends puts to the log of a stopped member, as its leader would have, and returns their count. */
async function writeOn(walDirectory: string): Promise<void> {
  const { entries, hardState, tail } = await readWalWithRepair(nodeFs, walDirectory, WAL_BEGINNING);
  const { term = 0, vote = 0n } = hardState ?? {};
  const options = { clock: nodeClock, segmentBytes: SEGMENT_BYTES };
  const writer = await WalWriter.resume(nodeFs, walDirectory, tail, options);
  for (let at = 0; at < OUR_PUTS; at++) {
    const index = entries.length + 1 + at;
    const batch = [{ type: 0, term, index, data: putEntry(at) } as const];
    await writer.save({ term, vote, commit: index }, batch);
  }
  await writer.sync();
  await writer.close();
}

/** Replaces the member's newest snapshot by what we make of it. */
async function writeSnapshotAnew(member: string): Promise<void> {
  const points = await validSnapshots(nodeFs, join(member, 'wal'));
  const snapshotter = new Snapshotter(nodeFs, join(member, 'snap'), { clock: nodeClock });
  const snapshot = await snapshotter.loadNewestOf(points);
  const data = encodeV2Store(decodeV2Store(snapshot.data));
  await snapshotter.save({ ...snapshot, data });
}

async function start(dataDir: string, ports?: RealEtcdPorts) {
  const flags = ['--snapshot-count=10'];
  const etcd = await startRealEtcd({ dataDir, flags, ...(ports ? { ports } : {}) });
  onTestFinished(() => etcd.stop());
  return etcd;
}

describe.skipIf(!hasRealEtcd)('the data directory of a real etcd', () => {
  it('is written on by us over several segments and taken up by etcd again', async () => {
    const dataDir = join(await tempDir(), 'data');
    const walDirectory = join(dataDir, 'member/wal');
    const first = await start(dataDir);
    for (let at = 0; at < 25; at++) first.ctl(['put', `theirs-${at}`, 'x']);
    await first.kill();

    await writeOn(walDirectory);
    await writeSnapshotAnew(join(dataDir, 'member'));
    const segments = (await nodeFs.readDirectory(walDirectory)).filter((name) =>
      name.endsWith('.wal'),
    );
    expect(segments.length).toBeGreaterThan(3);

    const second = await start(dataDir, first.ports);
    const keys = second.ctl(['get', 'ours-', '--prefix', '--keys-only']).toString();
    expect(keys.match(/ours-/g)).toHaveLength(OUR_PUTS);
    expect(second.ctl(['member', 'list']).toString()).toContain('real');
    second.ctl(['put', 'after', 'x']);
    await second.kill();

    const { entries } = await readWal(nodeFs, walDirectory);
    expect(entries.at(-1)?.index).toBe(entries.length);
    expect(entries.some(({ data }) => data.includes('after'))).toBe(true);
  }, 60_000);
});
