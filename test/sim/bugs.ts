import { RaftLog } from '../../src/raft/log.js';
import { RawNode } from '../../src/raft/raw-node.js';
import { MessageType, NONE, Role } from '../../src/raft/types.js';
import { Lessor } from '../../src/server/lease/lessor.js';
import { LocalMember } from '../../src/server/local-member.js';
import { IndexWaits } from '../../src/server/raft-loop/index-waits.js';
import { WatchHub } from '../../src/server/watch/watch-hub.js';
import { WatchStream } from '../../src/server/watch/watch-stream.js';
import type { RowBatch, RowSource } from '../../src/storage/backend/backend.js';
import { MemoryBackend } from '../../src/storage/backend/memory.js';
import { MvccStore } from '../../src/storage/mvcc/store.js';
import { WalWriter } from '../../src/storage/wal/writer.js';
import type { Profile } from './profile.js';

/** A mistake that the simulator must find. */
export interface SeededBug {
  readonly name: string;
  /** What of the profiles it needs in order to show. */
  readonly profile?: Partial<Profile>;
  /** Puts it into the code; the result takes it out again. */
  readonly plant: () => () => void;
}

/** Replaces a method of a class by one that is made of it. */
function replace<Owner extends object, Name extends keyof Owner>(
  prototype: Owner,
  name: Name,
  make: (original: Owner[Name]) => Owner[Name],
): () => void {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}

function both(...undo: readonly (() => void)[]): () => void {
  return () => {
    for (const each of undo) each();
  };
}

const CONSISTENT_INDEX = 'consistent_index';

export const SEEDED_BUGS: readonly SeededBug[] = [
  {
    name: 'vote twice in a term',
    plant: () =>
      replace(
        RawNode.prototype,
        'step',
        (step) =>
          function (this: RawNode, message) {
            const { core } = this.raft;
            if (message.type === MessageType.Vote && message.term === core.term) {
              if (core.role === Role.Follower) {
                core.vote = NONE;
                core.lead = NONE;
              }
            }
            step.call(this, message);
          },
      ),
  },
  {
    name: 'vote for whoever asks, however old its log',
    plant: () => replace(RaftLog.prototype, 'isUpToDate', () => () => true),
  },
  {
    name: 'acknowledge before the sync',
    plant: () =>
      replace(
        WalWriter.prototype,
        'save',
        (save) =>
          async function (this: WalWriter, state, entries) {
            save.call(this, state, entries).catch(() => {});
          },
      ),
  },
  {
    name: 'commit entries of an older term by counting',
    plant: () =>
      replace(
        RaftLog.prototype,
        'maybeCommit',
        () =>
          function (this: RaftLog, index) {
            if (index <= this.committed || index > this.lastIndex()) return false;
            this.commitTo(index);
            return true;
          },
      ),
  },
  {
    name: 'append entries without a look at the one before',
    plant: () =>
      replace(
        RaftLog.prototype,
        'maybeAppend',
        (maybeAppend) =>
          function (this: RaftLog, index, term, entries, commit) {
            const isGap = index > this.lastIndex();
            return maybeAppend.call(
              this,
              index,
              isGap ? term : (this.term(index) ?? term),
              entries,
              commit,
            );
          },
      ),
  },
  {
    name: 'lose the hard state',
    plant: () =>
      replace(
        WalWriter.prototype,
        'save',
        (save) =>
          function (this: WalWriter, _state, entries) {
            return save.call(this, undefined, entries);
          },
      ),
  },
  {
    name: 'lose the vote',
    plant: () =>
      replace(
        WalWriter.prototype,
        'save',
        (save) =>
          function (this: WalWriter, state, entries) {
            const lost = state === undefined ? state : { ...state, vote: NONE };
            return save.call(this, lost, entries);
          },
      ),
  },
  {
    name: 'apply twice after a restart',
    profile: { snapshotCount: 10_000 },
    plant: () =>
      replace(
        MemoryBackend.prototype,
        'put',
        (put) =>
          function (this: MemoryBackend, bucket, key, value) {
            const isIndex = bucket === 'meta' && Buffer.from(key).toString() === CONSISTENT_INDEX;
            if (!isIndex) {
              put.call(this, bucket, key, value);
              return;
            }
            const late = Buffer.from(value);
            late.writeBigUInt64BE(late.readBigUInt64BE(0) - 1n);
            put.call(this, bucket, key, late);
          },
      ),
  },
  {
    name: 'skip the lease check',
    plant: () =>
      both(
        replace(MvccStore.prototype, 'hasLease', () => () => true),
        replace(
          Lessor.prototype,
          'attach',
          (attach) =>
            function (this: Lessor, id, key) {
              if (this.has(id)) attach.call(this, id, key);
            },
        ),
      ),
  },
  {
    name: 'read without ReadIndex',
    plant: () => replace(LocalMember.prototype, 'linearizableRead', () => async () => {}),
  },
  {
    name: 'deliver an event twice',
    plant: () =>
      replace(
        WatchStream.prototype,
        'pushEvents',
        (pushEvents) =>
          function (this: WatchStream, watcher, revision, events) {
            pushEvents.call(this, watcher, revision, events);
            if (revision % 20 === 0) pushEvents.call(this, watcher, revision, events);
          },
      ),
  },
  {
    name: 'lose an event',
    plant: () =>
      replace(
        WatchHub.prototype,
        'notify',
        (notify) =>
          function (this: WatchHub, change) {
            if (change.revision % 20 !== 0) notify.call(this, change);
          },
      ),
  },
  {
    name: 'keep the keys of a lease that ends',
    plant: () =>
      replace(
        Lessor.prototype,
        'revoke',
        (revoke) =>
          function (this: Lessor, id, deleteKeys) {
            revoke.call(this, id, (keys) => {
              if (this.isPrimary) deleteKeys(keys);
            });
          },
      ),
  },
  {
    name: 'acknowledge renewals of leases and forget them',
    plant: () =>
      replace(
        Lessor.prototype,
        'renew',
        () =>
          function (this: Lessor, id) {
            return this.get(id)?.ttlSeconds ?? 0;
          },
      ),
  },
  {
    name: 'never end a lease',
    plant: () => replace(Lessor.prototype, 'takeExpired', () => () => []),
  },
  {
    name: 'leave a key of a snapshot behind',
    plant: () =>
      replace(
        MemoryBackend.prototype,
        'replaceWith',
        (replaceWith) =>
          function (this: MemoryBackend, source, adopt) {
            return replaceWith.call(this, withoutLastKey(source), adopt);
          },
      ),
  },
  {
    name: 'take a lagging member for one that has caught up',
    plant: () => replace(IndexWaits.prototype, 'wait', () => async () => {}),
  },
];

async function* withoutLastKey(source: RowSource): AsyncGenerator<RowBatch> {
  for await (const batch of source) {
    yield batch.bucket === 'key' ? { ...batch, rows: batch.rows.slice(0, -1) } : batch;
  }
}
