import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { Snapshotter } from '../../../src/storage/snap/snapshotter.js';
import { decodeV2Store } from '../../../src/storage/snap/v2-store-json.js';
import {
  readWal,
  validSnapshots,
  verifyWal,
  WAL_BEGINNING,
} from '../../../src/storage/wal/reader.js';
import { decodeWalIdentity } from '../../../src/storage/wal/record-types.js';
import { readWalWithRepair } from '../../../src/storage/wal/repair.js';
import { WalWriter } from '../../../src/storage/wal/writer.js';
import { sharedPath } from '../../support/shared.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';

const VERSIONS = ['3.4.23', '3.5.30'];

describe.skipIf(sharedPath('fixtures') === undefined).each(VERSIONS)(
  'a member of etcd %s',
  (version) => {
    let directory: TempDir;
    let member: string;

    beforeAll(async () => {
      directory = await makeTempDir();
      const archive = sharedPath('fixtures', `v${version}.data-dir.tar.gz`) ?? '';
      await promisify(execFile)('tar', ['xzf', archive, '-C', directory.path]);
      member = join(directory.path, 'data/member');
    });

    afterAll(() => directory.remove());

    it('is read whole, with its CRC chain', async () => {
      const wal = join(member, 'wal');
      const contents = await readWal(nodeFs, wal);
      expect(contents.torn).toBeUndefined();
      expect(contents.snapshotFound).toBe(true);
      expect(contents.entries.map(({ index }) => index)).toEqual(
        Array.from(contents.entries, (_, at) => at + 1),
      );
      expect(contents.entries[0]?.type).toBe(1);
      expect(contents.entries.length).toBeGreaterThan(201);
      expect(contents.hardState?.commit).toBeLessThanOrEqual(contents.entries.length);
      expect((await verifyWal(nodeFs, wal)).hardState).toEqual(contents.hardState);
      expect(decodeWalIdentity(contents.metadata).memberId).not.toBe(0n);
    });

    it('agrees with itself on snapshot, membership and log', async () => {
      const wal = join(member, 'wal');
      const points = await validSnapshots(nodeFs, wal);
      expect(points.map(({ index, term }) => [index, term])).toEqual([
        [0, 0],
        [201, 2],
      ]);
      const snapshotter = new Snapshotter(nodeFs, join(member, 'snap'), { clock: nodeClock });
      const snapshot = await snapshotter.loadNewestOf(points);
      expect(snapshot).toMatchObject({ index: 201, term: 2 });
      const { memberId } = decodeWalIdentity((await readWal(nodeFs, wal)).metadata);
      expect(snapshot.confState.voters).toEqual([memberId]);
      const store = decodeV2Store(snapshot.data);
      expect(store.members).toMatchObject([
        { id: memberId, name: `v${version}`, isLearner: false },
      ]);
      expect(store.clusterVersion).toBe(version.replace(/\.\d+$/, '.0'));
      const after = await readWal(nodeFs, wal, snapshot);
      expect(after.snapshotFound).toBe(true);
      expect(after.entries[0]?.index).toBe(202);
    });

    it('is written on', async () => {
      const wal = join(member, 'wal');
      const contents = await readWalWithRepair(nodeFs, wal, WAL_BEGINNING);
      const count = contents.entries.length;
      const writer = await WalWriter.resume(nodeFs, wal, contents.tail, { clock: nodeClock });
      const term = contents.hardState?.term ?? 0;
      const added = { type: 0, term, index: count + 1, data: Buffer.from('ours') } as const;
      await writer.save(undefined, [added]);
      await writer.close();
      const { entries, hardState } = await readWal(nodeFs, wal);
      expect(entries).toHaveLength(count + 1);
      expect(entries.at(-1)).toEqual(added);
      expect(hardState).toEqual(contents.hardState);
    });
  },
);
