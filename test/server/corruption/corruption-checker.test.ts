import { afterEach, describe, expect, it } from 'vitest';
import { isEtcdError } from '../../../src/proto/errors.js';
import {
  AlarmType,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { CorruptionChecker } from '../../../src/server/corruption/corruption-checker.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import { MemoryCluster } from '../../support/memory-cluster.js';
import { RecordingLogger } from '../../support/peer-member.js';

const TEST_MILLIS = 60_000;
const NAMES = ['a', 'b', 'c'];

let cluster: MemoryCluster | undefined;
afterEach(async () => {
  await cluster?.stopAll();
  cluster = undefined;
});

interface Started {
  readonly members: readonly LocalMember[];
  readonly leader: LocalMember;
  readonly followers: readonly LocalMember[];
  readonly checker: CorruptionChecker;
  readonly logger: RecordingLogger;
}

async function start(): Promise<Started> {
  cluster = new MemoryCluster(NAMES, { heartbeatMillis: 50, compactionBatchLimit: 20 });
  const members = (await cluster.startAll()).map(({ member }) => member);
  for (const member of members) await member.whenLeader();
  const leader = members.find(({ isLeader }) => isLeader);
  if (leader === undefined) throw new Error('nobody leads');
  const logger = new RecordingLogger();
  return {
    members,
    leader,
    followers: members.filter((member) => member !== leader),
    checker: new CorruptionChecker(leader, logger),
    logger,
  };
}

async function put(member: LocalMember, key: string, value: string): Promise<number> {
  const request = PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value) });
  const { revision } = await member.propose('put', request, PutRequest.encode(request).finish());
  return revision;
}

async function remove(member: LocalMember, key: string): Promise<number> {
  const request = DeleteRangeRequest.create({ key: Buffer.from(key) });
  const payload = DeleteRangeRequest.encode(request).finish();
  return (await member.propose('deleteRange', request, payload)).revision;
}

async function compact(member: LocalMember, revision: number): Promise<void> {
  const request = CompactionRequest.create({ revision });
  const payload = CompactionRequest.encode(request).finish();
  await (await member.propose('compaction', request, payload)).finished;
}

async function catchUp(members: readonly LocalMember[]): Promise<void> {
  for (const member of members) await member.linearizableRead();
  for (const member of members) await member.store.whenCompactionsEnd();
}

/** Changes the value of the latest row, behind the back of the store. */
function damage({ backend }: LocalMember): void {
  const row = [...backend.range('key', Buffer.alloc(1), Buffer.alloc(1, 255))].at(-1);
  if (row === undefined) throw new Error('there is nothing to damage');
  const value = Buffer.from(row[1]);
  value[value.length - 1] = (value[value.length - 1] ?? 0) ^ 1;
  backend.put('key', row[0], value);
}

function blamed(member: LocalMember): bigint[] {
  return member.alarms.list(AlarmType.CORRUPT).map(({ memberID }) => memberID);
}

const idOf = ({ cluster: { localMemberId } }: LocalMember): bigint => localMemberId;

describe('the checks of a leader', () => {
  it(
    'find the follower whose keys were damaged, and stop the cluster',
    async () => {
      const { leader, followers, members, checker } = await start();
      for (let i = 0; i < 20; i++) await put(leader, `k${i}`, 'value');
      await catchUp(members);
      await checker.periodicCheck();
      expect(blamed(leader)).toEqual([]);
      const bad = followers[1] as LocalMember;
      damage(bad);
      await checker.periodicCheck();
      await catchUp(members);
      for (const member of members) expect(blamed(member)).toEqual([idOf(bad)]);
      for (const member of members) {
        const refused = await put(member, 'k', 'v').catch((error: unknown) => error);
        expect(isEtcdError(refused, 'Corrupt')).toBe(true);
      }
      // A second check says nothing new.
      const { committedIndex } = leader;
      await checker.periodicCheck();
      expect(leader.committedIndex).toBe(committedIndex);
    },
    TEST_MILLIS,
  );

  it(
    'find by the hashes of a compaction whose keys were damaged, be it the leader',
    async () => {
      const { leader, members, checker, logger } = await start();
      for (let i = 0; i < 50; i++) await put(leader, `k${i % 10}`, `value ${i}`);
      await compact(leader, 20);
      await catchUp(members);
      await checker.compactHashCheck();
      expect(logger.has('successfully checked hash on whole cluster')).toBe(true);
      expect(logger.has('finished compaction hash check')).toBe(true);
      damage(leader);
      await compact(leader, 51);
      await catchUp(members);
      await checker.compactHashCheck();
      await catchUp(members);
      for (const member of members) expect(blamed(member)).toEqual([idOf(leader)]);
    },
    TEST_MILLIS,
  );

  it(
    'never blame equal members, whatever goes on meanwhile',
    async () => {
      const { leader, members, checker, logger } = await start();
      let isDone = false;
      const load = async (member: LocalMember, name: string): Promise<void> => {
        for (let round = 0; !isDone; round++) {
          const revision = await put(member, `${name}${round % 7}`, `${round}`);
          if (round % 5 === 0) await remove(member, `${name}${round % 7}`);
          if (name === '0' && round % 10 === 9) await compact(member, revision);
        }
      };
      const loads = members.map((member, at) => load(member, String(at)));
      for (let check = 0; check < 25; check++) {
        await checker.periodicCheck();
        await checker.compactHashCheck();
      }
      isDone = true;
      await Promise.all(loads);
      await catchUp(members);
      // All keys gone, and compacted while the check goes on.
      for (let at = 0; at < 3; at++) for (let i = 0; i < 7; i++) await remove(leader, `${at}${i}`);
      const compaction = compact(leader, leader.store.currentRevision);
      for (let check = 0; check < 10; check++) await checker.periodicCheck();
      await compaction;
      await checker.periodicCheck();
      await checker.compactHashCheck();
      expect(leader.store.compactRevision).toBeGreaterThan(20);
      expect(logger.has('successfully checked hash on whole cluster')).toBe(true);
      for (const member of members) expect(blamed(member)).toEqual([]);
    },
    TEST_MILLIS,
  );
});

describe('the check of a member that was away', () => {
  it(
    'refuses keys that differ from those of the others, and no others',
    async () => {
      const { leader, followers, members } = await start();
      for (let i = 0; i < 20; i++) await put(leader, `k${i}`, 'value');
      await catchUp(members);
      const [one] = followers as [LocalMember, LocalMember];
      const logger = new RecordingLogger();
      await new CorruptionChecker(one, logger).initialCheck();
      expect(logger.has('initial corruption checking passed; no corruption')).toBe(true);
      damage(one);
      await expect(new CorruptionChecker(one, logger).initialCheck()).rejects.toThrow(
        `${idOf(one).toString(16)} found data inconsistency with peers`,
      );
      expect(logger.has('found different hash values from remote peer')).toBe(true);
    },
    TEST_MILLIS,
  );
});
