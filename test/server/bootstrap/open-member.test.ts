import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import type { FileHandle, OpenOptions } from '../../../src/platform/fs.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { encodeConfChange } from '../../../src/raft/confchange/codec.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import { planCluster } from '../../../src/server/bootstrap/new-member.js';
import { createLog } from '../../../src/server/bootstrap/open-log.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import { MemoryDisk } from '../../../src/storage/backend/memory.js';
import type { WalWriter } from '../../../src/storage/wal/writer.js';
import {
  type MemberDisks,
  newDisks,
  openInMemory,
  startMember,
} from '../../support/in-memory-member.js';

const running: LocalMember[] = [];

async function start(disks: MemberDisks): Promise<LocalMember> {
  const { member } = await startMember(disks);
  running.push(member);
  return member;
}

async function put(member: LocalMember, key: string): Promise<number> {
  const request = PutRequest.create({ key: Buffer.from(key), value: Buffer.from('v') });
  const { revision } = await member.propose('put', request, PutRequest.encode(request).finish());
  return revision;
}

/** The log as the first start makes it, with no write of the member yet. */
async function makeLog({ fs }: MemberDisks, peerUrl = 'http://127.0.0.1:2380') {
  await fs.makeDirectory('/data/member/wal', { recursive: true, mode: 0o700 });
  const plan = planCluster({
    name: 'default',
    peerUrls: new Map([['default', [peerUrl]]]),
    advertisedPeerUrls: [peerUrl],
    token: 'etcd-cluster',
  });
  const wal: WalWriter = await createLog(
    {
      fs,
      directory: '/data/member/wal',
      clock: nodeClock,
      logger: silentLogger,
      unsafeNoFsync: false,
      segmentBytes: 256 * 1024,
    },
    plan,
  );
  return { plan, wal };
}

/** A disk that knows how many of its files are open. */
class CountedFs extends MemoryFs {
  openFiles = 0;

  override async open(path: string, options: OpenOptions): Promise<FileHandle> {
    const file = await super.open(path, options);
    this.openFiles++;
    const { close } = file;
    file.close = async () => {
      await close.call(file);
      this.openFiles--;
    };
    return file;
  }
}

describe('openMember that fails', () => {
  it('leaves no file open, whatever is there already', async () => {
    const fs = new CountedFs();
    const disks = { fs, backend: new MemoryDisk() };
    const createTransport = (): never => {
      throw new Error('no such address');
    };
    await expect(openInMemory(disks, {}, { createTransport })).rejects.toThrow('no such address');
    expect(fs.openFiles).toBe(0);
    const { member } = await startMember(disks);
    expect(fs.openFiles).toBeGreaterThan(0);
    await member.stop();
    expect(fs.openFiles).toBe(0);
    await expect(openInMemory(disks, {}, { createTransport })).rejects.toThrow('no such address');
    expect(fs.openFiles).toBe(0);
  });
});

describe('openMember after a crash', () => {
  afterEach(async () => {
    for (const member of running.splice(0)) await member.stop();
  });

  it('begins again if the log was made and nothing was written to it', async () => {
    const disks = newDisks();
    const { wal, plan } = await makeLog(disks);
    await wal.close();
    const first = await start(disks);
    expect(first.cluster.localMemberId).toBe(plan.memberId);
    expect(await put(first, 'k')).toBe(2);
    await first.stop();
    const second = await start(disks);
    expect(second.store.currentRevision).toBe(2);
    expect(second.cluster.members()).toHaveLength(1);
  });

  it('begins again if the first write was torn between its entries and its state', async () => {
    const disks = newDisks();
    const { wal, plan } = await makeLog(disks);
    const entries = plan.peers.map(({ id, context }, position) => {
      const change = { id: 0n, type: ConfChangeType.AddNode, nodeId: id, context };
      return { ...encodeConfChange(change), term: 1, index: position + 1 };
    });
    await wal.save(undefined, entries);
    await wal.close();
    const first = await start(disks);
    expect(await put(first, 'k')).toBe(2);
    await first.stop();
    const second = await start(disks);
    expect(second.store.currentRevision).toBe(2);
    expect(second.cluster.members()).toHaveLength(1);
  });

  it('refuses an unwritten log of another cluster', async () => {
    const disks = newDisks();
    const { wal } = await makeLog(disks, 'http://127.0.0.1:9999');
    await wal.close();
    await expect(start(disks)).rejects.toThrow('was made for another cluster');
  });

  it('replays the whole log into an empty backend', async () => {
    const disks = newDisks();
    const first = await start(disks);
    for (let i = 0; i < 300; i++) await put(first, `k${i}`);
    await first.stop();
    const second = await start({ fs: disks.fs, backend: new MemoryDisk() });
    await second.linearizableRead();
    expect(second.store.currentRevision).toBe(301);
    expect(second.cluster.members()).toHaveLength(1);
    expect(await put(second, 'more')).toBe(302);
  });

  it('refuses a backend whose log is gone: its next writes would count as applied', async () => {
    const disks = newDisks();
    const first = await start(disks);
    await put(first, 'k');
    await first.stop();
    await disks.fs.removeTree('/data/member/wal');
    await expect(start(disks)).rejects.toThrow('is ahead of the log');
    // The refused start must not have made a log that the next one would take for that of the data.
    await expect(start(disks)).rejects.toThrow('is ahead of the log');
  });
});
