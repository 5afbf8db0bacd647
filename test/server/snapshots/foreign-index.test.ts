import { afterEach, expect, it } from 'vitest';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import type { BackendSnapshot } from '../../../src/storage/backend/backend.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { MemoryCluster } from '../../support/memory-cluster.js';

const INDEX_KEY = Buffer.from('consistent_index');
/** Entries at the end of the log that the sender's release does not count. */
const UNCOUNTED = 3;

let cluster: MemoryCluster | undefined;

afterEach(async () => {
  await cluster?.stopAll();
  cluster = undefined;
});

it('counts a received snapshot as applied, on disk, before its database goes', async () => {
  cluster = new MemoryCluster(['a', 'b', 'c'], { snapshotCatchUpEntries: 20 });
  const members = (await cluster.startAll()).map(({ member }) => member);
  for (const member of members) await member.whenLeader();
  const late = members.find(({ isLeader }) => !isLeader) as LocalMember;
  const others = members.filter((member) => member !== late);
  for (const { backend } of others) sendLowerIndex(backend as MemoryBackend);
  cluster.network.isolate(late.cluster.localMemberId);
  const leader = others.find(({ isLeader }) => isLeader) as LocalMember;
  for (let i = 0; i < 300; i++) await put(leader, `k${i}`);
  cluster.network.heal();
  while (late.appliedIndex < 100) await new Promise((resolve) => setImmediate(resolve));
  expect(storedIndex(late)).toBe(late.appliedIndex);
  expect(cluster.failures.size).toBe(0);
});

async function put(member: LocalMember, key: string): Promise<void> {
  const request = PutRequest.create({ key: Buffer.from(key), value: Buffer.from('v') });
  await member.propose('put', request, PutRequest.encode(request).finish());
}

/** What a crash would leave. */
function storedIndex({ backend }: LocalMember): number {
  const { disk } = backend as MemoryBackend;
  return Number(new MemoryBackend({ disk }).get('meta', INDEX_KEY)?.readBigUInt64BE(0));
}

/** Makes the databases of a member as those of a release that does not count empty entries. */
function sendLowerIndex(backend: MemoryBackend): void {
  const original = backend.snapshot.bind(backend);
  backend.snapshot = async () => {
    const view = await original();
    const range: BackendSnapshot['range'] = function* (bucket, ...bounds) {
      for (const [key, value] of view.range(bucket, ...bounds)) {
        yield [key, bucket === 'meta' && key.equals(INDEX_KEY) ? lowered(value) : value];
      }
    };
    return Object.assign(Object.create(view), { range, close: () => view.close() });
  };
}

function lowered(value: Buffer): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value.readBigUInt64BE(0) - BigInt(UNCOUNTED));
  return bytes;
}
