import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { AlarmType } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { type ClusterMember, ClusterProcesses } from '../../support/cluster-processes.js';
import { tempDir } from '../../support/temp-dir.js';

const TEST_MILLIS = 120_000;
const KEYS = 20;
const FLAGS = ['--unsafe-no-fsync', '--compact-hash-check-time=300ms'];
const CHECKED = '--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true';

type Three = readonly [ClusterMember, ClusterMember, ClusterMember];

async function cluster(): Promise<{ cluster: ClusterProcesses; members: Three }> {
  const plan = { kinds: 'ooo', flags: [...FLAGS, CHECKED, '--corrupt-check-time=500ms'] };
  const started = await ClusterProcesses.start(await tempDir(), plan);
  onTestFinished(() => started.stop());
  const members = started.members as unknown as Three;
  for (let i = 0; i < KEYS; i++) {
    await members[0].client.kv.put({ key: Buffer.from(`k${i}`), value: Buffer.from('value') });
  }
  await started.requireEqualHashes();
  return { cluster: started, members };
}

/** Changes the value of the latest key in the database of a member that is stopped. */
async function damage({ dataDir }: ClusterMember): Promise<void> {
  const backend = await LmdbBackend.open({
    directory: join(dataDir, 'member/snap'),
    clock: nodeClock,
    onFatal: (error) => {
      throw error;
    },
  });
  const row = [...backend.range('key', Buffer.alloc(1), Buffer.alloc(1, 255))].at(-1);
  if (row === undefined) throw new Error('there is nothing to damage');
  const value = Buffer.from(row[1]);
  value[value.length - 1] = (value[value.length - 1] ?? 0) ^ 1;
  backend.put('key', row[0], value);
  await backend.close();
}

async function corrupt({ client }: ClusterMember): Promise<bigint[]> {
  const { alarms } = await client.maintenance.alarmList();
  return alarms.filter(({ alarm }) => alarm === AlarmType.CORRUPT).map(({ memberID }) => memberID);
}

it(
  'does not let a member back whose keys were damaged while it was away',
  async () => {
    const { members } = await cluster();
    const [first, second] = members;
    await second.end('SIGTERM');
    second.start();
    await second.untilServing();
    expect(second.log).toContain('initial corruption checking passed; no corruption');
    await second.end('SIGTERM');
    await damage(second);
    second.start();
    expect(await second.exit).toBe(1);
    expect(second.log).toContain('checkInitialHashKV failed');
    expect(second.log).toContain(`${second.id.toString(16)} found data inconsistency with peers`);
    expect(await corrupt(first)).toEqual([]);
  },
  TEST_MILLIS,
);

it(
  'raises the alarm for a member whose keys were damaged, and refuses to go on',
  async () => {
    const { cluster: running, members } = await cluster();
    const [first, second] = members;
    await running.moveLeader(first);
    expect(await corrupt(first)).toEqual([]);
    await second.end('SIGTERM');
    await damage(second);
    // Of a flag that is given twice the last one counts.
    second.start(['--feature-gates=InitialCorruptCheck=false']);
    await first.until('raises the alarm', async () => (await corrupt(first)).length > 0);
    expect(await corrupt(first)).toEqual([second.id]);
    for (const { client, endpoint } of members) {
      const write = client.kv.put({ key: Buffer.from('k'), value: Buffer.from('v') });
      await expect(write).rejects.toThrow('etcdserver: corrupt cluster');
      expect((await fetch(`http://${endpoint}/health`)).status).toBe(503);
    }
  },
  TEST_MILLIS,
);
