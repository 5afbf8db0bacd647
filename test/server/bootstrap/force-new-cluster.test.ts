import { afterEach, describe, expect, it } from 'vitest';
import { EMPTY_BYTES } from '../../../src/base/bytes.js';
import { silentLogger } from '../../../src/base/logger.js';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { decodeConfChange, encodeConfChange } from '../../../src/raft/confchange/codec.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import { MemoryStorage } from '../../../src/raft/memory-storage.js';
import { type Entry, EntryType, type HardState } from '../../../src/raft/types.js';
import {
  type ForceNewClusterOptions,
  forceNewCluster,
} from '../../../src/server/bootstrap/force-new-cluster.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import type { Member } from '../../../src/server/membership/member.js';
import { type MemberDisks, newDisks, openInMemory } from '../../support/in-memory-member.js';

const running: LocalMember[] = [];
afterEach(async () => {
  for (const member of running.splice(0)) await member.stop();
});

const member = (id: bigint, isLearner = false): Member => {
  return { id, peerUrls: [`http://m${id}:2380`], isLearner, name: '', clientUrls: [] };
};

const normal = (index: number): Entry => {
  return { type: EntryType.Normal, term: 3, index, data: Buffer.from('x') };
};

const change = (index: number, type: ConfChangeType, nodeId: bigint): Entry => {
  const context =
    type === ConfChangeType.RemoveNode ? EMPTY_BYTES : Buffer.from(`{"id":${nodeId}}`);
  return { ...encodeConfChange({ id: 9n, type, nodeId, context }), term: 3, index };
};

interface Case {
  readonly members: readonly Member[];
  readonly entries: readonly Entry[];
  readonly hardState?: HardState | undefined;
  readonly consistentIndex?: number;
  readonly isRemoved?: boolean;
}

/** Member 1 forces; what is written, and the log after it. */
async function force({
  members,
  entries,
  hardState = { term: 4, vote: 2n, commit: 2 },
  consistentIndex = 2,
  isRemoved = false,
}: Case) {
  const storage = new MemoryStorage();
  storage.append(entries);
  storage.setHardState(hardState);
  const written: Parameters<ForceNewClusterOptions['wal']['save']>[] = [];
  await forceNewCluster({
    logger: silentLogger,
    storage,
    wal: {
      save: async (...saved) => {
        written.push(saved);
      },
    },
    cluster: {
      id: 5n,
      localMemberId: 1n,
      members: () => [...members],
      isRemoved: () => isRemoved,
    },
    consistentIndex,
  });
  return { storage, written };
}

/** The entries as `index type id`. */
function shown(entries: readonly Pick<Entry, 'type' | 'index' | 'data'>[]): string[] {
  return entries.map((entry) => {
    if (entry.type === EntryType.Normal) return `${entry.index} empty`;
    const decoded = decodeConfChange(entry);
    if (!('nodeId' in decoded)) throw new Error('a ConfChangeV2');
    return `${entry.index} ${decoded.type} ${decoded.nodeId} ${decoded.context}`;
  });
}

const ADD = ConfChangeType.AddNode;
const REMOVE = ConfChangeType.RemoveNode;

describe('forcing a new cluster', () => {
  it('drops what is not committed and commits that the others go', async () => {
    const { storage, written } = await force({
      members: [member(1n), member(2n), member(3n, true)],
      entries: [1, 2, 3, 4, 5, 6].map(normal),
    });
    const [[state, entries] = []] = written;
    expect(written).toHaveLength(1);
    expect(state).toEqual({ term: 4, vote: 2n, commit: 4 });
    expect(shown(entries as Entry[])).toEqual([`3 ${REMOVE} 2 `, `4 ${REMOVE} 3 `]);
    expect(storage.lastIndex()).toBe(4);
    expect(storage.term(4)).toBe(4);
    expect(storage.initialState().hardState).toEqual(state);
  });

  it('counts what the backend knows as committed, and what is committed as done', async () => {
    const { written } = await force({
      members: [member(1n), member(2n)],
      entries: [
        normal(1),
        change(2, ConfChangeType.AddNode, 2n),
        normal(3),
        change(4, ConfChangeType.AddLearnerNode, 7n),
        change(5, REMOVE, 2n),
        normal(6),
      ],
      hardState: { term: 4, vote: 0n, commit: 5 },
      consistentIndex: 3,
    });
    expect(shown(written[0]?.[1] as Entry[])).toEqual([`6 ${REMOVE} 7 `]);
    const ahead = await force({
      members: [member(1n), member(2n)],
      entries: [1, 2, 3, 4].map(normal),
      consistentIndex: 3,
    });
    expect(shown(ahead.written[0]?.[1] as Entry[])).toEqual([`4 ${REMOVE} 2 `]);
  });

  it('lets this member vote before the others go', async () => {
    const stranger = await force({ members: [member(2n)], entries: [1, 2].map(normal) });
    expect(shown(stranger.written[0]?.[1] as Entry[])).toEqual([
      `3 ${ADD} 1 {"id":1,"peerURLs":["http://localhost:2380"]}`,
      `4 ${REMOVE} 2 `,
    ]);
    const learner = await force({
      members: [member(1n, true), member(2n)],
      entries: [1, 2].map(normal),
    });
    expect(shown(learner.written[0]?.[1] as Entry[])).toEqual([
      `3 ${ADD} 1 {"id":1,"peerURLs":null,"isPromote":true}`,
      `4 ${REMOVE} 2 `,
    ]);
  });

  it('puts something in the place of what it drops', async () => {
    const { storage, written } = await force({
      members: [member(1n)],
      entries: [normal(1), normal(2), change(3, ADD, 2n), normal(4)],
    });
    expect(shown(written[0]?.[1] as Entry[])).toEqual(['3 empty']);
    expect(storage.lastIndex()).toBe(3);
  });

  it('writes nothing where there is nothing to change', async () => {
    const { written } = await force({ members: [member(1n)], entries: [1, 2].map(normal) });
    expect(written.map(([, entries]) => entries)).toEqual([[]]);
  });

  it('does not bring back a removed member, nor what is missing of a log', async () => {
    await expect(
      force({ members: [member(2n)], entries: [1, 2].map(normal), isRemoved: true }),
    ).rejects.toThrow("member 1 was removed from its cluster; --force-new-cluster can't bring it");
    await expect(
      force({ members: [member(1n)], entries: [1, 2].map(normal), consistentIndex: 3 }),
    ).rejects.toThrow('the log ends at index 2, but index 3 was committed');
  });
});

describe('a member forced into a cluster of its own', () => {
  const peerUrls = new Map(['one', 'two', 'three'].map((name) => [name, [`http://${name}:2380`]]));

  async function open(disks: MemberDisks, forcesNewCluster: boolean): Promise<LocalMember> {
    const { member: opened } = await openInMemory(
      disks,
      {},
      {
        initialCluster: {
          name: 'one',
          peerUrls,
          advertisedPeerUrls: ['http://one:2380'],
          token: 'etcd-cluster',
          state: 'new',
        },
        forcesNewCluster,
      },
    );
    running.push(opened);
    opened.start();
    return opened;
  }

  it('serves alone, and goes on so without the flag', async () => {
    const disks = newDisks();
    const first = await open(disks, false);
    await first.whenApplied(5000);
    const { cluster } = first;
    expect(cluster.members()).toHaveLength(3);
    await first.stop();

    const forced = await open(disks, true);
    await forced.whenLeader();
    expect(forced.cluster.id).toBe(cluster.id);
    expect(forced.cluster.members().map(({ name }) => name)).toEqual(['one']);
    const request = PutRequest.create({ key: Buffer.from('k'), value: Buffer.from('v') });
    await forced.propose('put', request, PutRequest.encode(request).finish());
    await forced.stop();

    const again = await open(disks, false);
    await again.whenLeader();
    expect(again.store.currentRevision).toBe(2);
    expect(again.cluster.members()).toHaveLength(1);
  });

  it('is alone also if it is killed right after', async () => {
    const disks = newDisks();
    const first = await open(disks, false);
    await first.whenApplied(5000);
    await first.stop();
    // Opened, and never started: the log alone knows of it.
    const { member: killed } = await openInMemory(disks, {}, { forcesNewCluster: true });
    await killed.stop();
    const again = await open(disks, false);
    await again.whenLeader();
    expect(again.cluster.members()).toHaveLength(1);
  });
});
