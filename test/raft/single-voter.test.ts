import { describe, expect, it } from 'vitest';
import { decodeConfChange } from '../../src/raft/confchange/codec.js';
import { RaftError } from '../../src/raft/errors.js';
import { MemoryStorage } from '../../src/raft/memory-storage.js';
import { RawNode } from '../../src/raft/raw-node.js';
import type { Ready, StorageAppend } from '../../src/raft/ready.js';
import { EMPTY_CONF_STATE, type Entry, EntryType, Role } from '../../src/raft/types.js';
import { memberConfig } from './support/node.js';

/** A disk that knows what is durable, in front of the storage that Raft reads. */
class Member {
  storage = new MemoryStorage();
  node: RawNode;
  readonly applied: string[] = [];
  /** Appends handed out and not carried out yet. */
  readonly disk: StorageAppend[] = [];

  constructor() {
    this.node = new RawNode(memberConfig(1n, this.storage));
    this.node.bootstrap([{ id: 1n, context: Buffer.from('first') }]);
  }

  takeReady(): Ready {
    const ready = this.node.ready();
    if (ready.append !== undefined) this.disk.push(ready.append);
    if (ready.apply !== undefined) {
      for (const entry of ready.apply.entries) this.#apply(entry);
      this.node.applyDone(ready.apply);
    }
    return ready;
  }

  #apply(entry: Entry): void {
    if (entry.type === EntryType.Normal) this.applied.push(entry.data.toString());
    else this.node.applyConfChange(decodeConfChange(entry));
  }

  /** The oldest append becomes durable. */
  sync(): void {
    const append = this.disk.shift();
    if (append === undefined) throw new Error('nothing to sync');
    this.storage.append(append.entries);
    if (append.hardState !== undefined) this.storage.setHardState(append.hardState);
    expect(this.node.appendDone(append)).toEqual([]);
  }

  settle(): void {
    while (this.node.hasReady() || this.disk.length > 0) {
      if (this.node.hasReady()) this.takeReady();
      else this.sync();
    }
  }

  /** Loses what the disk does not hold and starts again, applying the log from its start. */
  crash(): void {
    const storage = new MemoryStorage();
    const last = this.storage.lastIndex();
    storage.append(this.storage.entries(1, last + 1, Number.POSITIVE_INFINITY));
    const { hardState } = this.storage.initialState();
    if (hardState !== undefined) storage.setHardState(hardState);
    this.disk.length = 0;
    this.applied.length = 0;
    this.storage = storage;
    this.node = new RawNode(memberConfig(1n, storage));
  }
}

function elected(): Member {
  const member = new Member();
  member.settle();
  member.node.campaign();
  member.settle();
  return member;
}

describe('a single voter with asynchronous storage writes', () => {
  it('bootstraps at term 1 and is elected at term 2', () => {
    const member = new Member();
    const ready = member.takeReady();
    expect(ready.hardState).toEqual({ term: 1, vote: 0n, commit: 1 });
    expect(ready.mustSync).toBe(true);
    expect(ready.apply).toBeUndefined();
    member.settle();
    expect(member.node.status()).toMatchObject({ role: Role.Follower, term: 1, applied: 1 });
    member.node.campaign();
    member.settle();
    expect(member.node.status()).toMatchObject({ role: Role.Leader, term: 2, lead: 1n, commit: 2 });
  });

  it('campaigns by itself when the election timeout passes', () => {
    const member = new Member();
    member.settle();
    for (let tick = 0; tick < 9; tick++) member.node.tick();
    expect(member.node.hasReady()).toBe(false);
    member.node.tick();
    member.settle();
    expect(member.node.status().role).toBe(Role.Leader);
  });

  it('does not lead before its own vote is durable', () => {
    const member = new Member();
    member.settle();
    member.node.campaign();
    while (member.node.hasReady()) member.takeReady();
    expect(member.node.status().role).toBe(Role.PreCandidate);
    member.sync();
    while (member.node.hasReady()) member.takeReady();
    expect(member.node.status().role).toBe(Role.Candidate);
    expect(member.disk.at(-1)).toMatchObject({ mustSync: true, hardState: { vote: 1n } });
    member.sync();
    expect(member.node.status().role).toBe(Role.Leader);
  });

  it('commits a batch of proposals as soon as their append is durable, not before', () => {
    const member = elected();
    member.node.propose(Buffer.from('a'));
    member.node.proposeBatch([Buffer.from('b'), Buffer.from('c')]);
    const ready = member.takeReady();
    expect(ready.append?.entries.map((entry) => entry.data.toString())).toEqual(['a', 'b', 'c']);
    expect(ready.append?.mustSync).toBe(true);
    expect(ready.messages).toEqual([]);
    expect(member.node.hasReady()).toBe(false);
    member.sync();
    const next = member.takeReady();
    expect(member.applied).toEqual(['', 'a', 'b', 'c']);
    expect(next.append).toMatchObject({ entries: [], mustSync: false, responses: [] });
  });

  it('goes on taking proposals while an append is in flight', () => {
    const member = elected();
    member.node.propose(Buffer.from('a'));
    member.takeReady();
    member.node.propose(Buffer.from('b'));
    const second = member.takeReady();
    expect(second.append?.entries.map((entry) => entry.data.toString())).toEqual(['b']);
    member.sync();
    member.takeReady();
    expect(member.applied).toEqual(['', 'a']);
    member.settle();
    expect(member.applied).toEqual(['', 'a', 'b']);
  });

  it('applies at most maxCommittedSizePerReady at a time', () => {
    const member = elected();
    const batch = Array.from({ length: 3 }, () => Buffer.alloc(600 * 1024, 'x'));
    member.node.proposeBatch(batch);
    member.takeReady();
    member.sync();
    expect(member.takeReady().committedEntries).toHaveLength(1);
    expect(member.takeReady().committedEntries).toHaveLength(1);
    expect(member.takeReady().committedEntries).toHaveLength(1);
    expect(member.node.hasReady()).toBe(false);
  });

  it('loses only what was not durable in a crash', () => {
    const member = elected();
    member.node.propose(Buffer.from('kept'));
    member.settle();
    member.node.propose(Buffer.from('lost'));
    member.takeReady();
    member.crash();
    member.settle();
    expect(member.applied).toEqual(['', 'kept']);
    expect(member.node.status()).toMatchObject({ role: Role.Follower, term: 2 });
    member.node.campaign();
    member.settle();
    expect(member.node.status()).toMatchObject({ role: Role.Leader, term: 3 });
    expect(member.applied).toEqual(['', 'kept', '']);
  });

  it('commits, once elected again, entries that were durable but not known to be committed', () => {
    const member = elected();
    member.node.propose(Buffer.from('durable'));
    const { append } = member.takeReady();
    if (append === undefined) throw new Error('no append');
    // The write arrives, the report does not.
    member.storage.append(append.entries);
    member.crash();
    member.settle();
    expect(member.applied).toEqual(['']);
    member.node.campaign();
    member.settle();
    expect(member.applied).toEqual(['', 'durable', '']);
  });

  it('answers a read index at once with the commit index', () => {
    const member = elected();
    member.node.readIndex(Buffer.from('12345678'));
    const ready = member.takeReady();
    expect(ready.readStates).toEqual([{ index: 2, context: Buffer.from('12345678') }]);
    expect(member.node.hasReady()).toBe(false);
  });

  it('drops proposals while it does not lead', () => {
    const member = new Member();
    member.settle();
    expect(() => member.node.propose(Buffer.from('a'))).toThrow(RaftError);
    expect(() => member.node.propose(Buffer.from('a'))).toThrow('raft proposal dropped');
  });

  it('bounds the uncommitted payload, but admits one proposal of any size', () => {
    const storage = new MemoryStorage();
    const confState = { ...EMPTY_CONF_STATE, voters: [1n] };
    storage.applySnapshot({ data: Buffer.alloc(0), index: 1, term: 1, confState });
    const node = new RawNode(
      memberConfig(1n, storage, {
        maxUncommittedSize: 100,
        asyncStorageWrites: false,
        preVote: false,
      }),
    );
    const turn = (): void => {
      const ready = node.ready();
      storage.append(ready.entries);
      if (ready.hardState !== undefined) storage.setHardState(ready.hardState);
      node.advance();
    };
    node.campaign();
    while (node.hasReady()) turn();
    node.propose(Buffer.alloc(1000));
    expect(() => node.propose(Buffer.alloc(1))).toThrow('raft proposal dropped');
    node.propose(Buffer.alloc(0));
    while (node.hasReady()) turn();
    node.propose(Buffer.alloc(60));
    node.propose(Buffer.alloc(40));
    expect(() => node.propose(Buffer.alloc(1))).toThrow('raft proposal dropped');
  });
});
