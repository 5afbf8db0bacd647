import { describe, expect, it } from 'vitest';
import {
  RangeResponse,
  ResponseHeader,
  TxnResponse,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';
import { LeaseElection } from '../../src/recipes/election.js';
import { observeLeaders } from '../../src/recipes/leader.js';
import { LeaseLock } from '../../src/recipes/lock.js';
import type { RecipeStore, WatchedEvents } from '../../src/recipes/store.js';

const NAME = Buffer.from('name');
const OTHER = KeyValue.create({ key: Buffer.from('name/1'), createRevision: 3, modRevision: 3 });
const HEADER = ResponseHeader.create({ revision: 9 });

/** A store in which somebody else came first; what it was asked is remembered. */
class OccupiedStore implements RecipeStore {
  readonly deleted: string[] = [];
  txns = 0;
  updates: () => AsyncIterable<WatchedEvents> = () => none();
  deleteFails = false;

  async range(): Promise<RangeResponse> {
    return RangeResponse.create({ header: HEADER, kvs: [OTHER] });
  }

  async deleteRange({ key }: { readonly key?: Buffer }) {
    this.deleted.push(String(key));
    if (this.deleteFails) throw new Error('no quorum');
    return { header: HEADER, deleted: 1, prevKvs: [] };
  }

  async txn(): Promise<TxnResponse> {
    this.txns++;
    const value = RangeResponse.create({ kvs: [OTHER] });
    return TxnResponse.create({
      header: HEADER,
      succeeded: true,
      responses: [{ response: undefined }, { response: { $case: 'responseRange', value } }],
    });
  }

  watch(): AsyncIterable<WatchedEvents> {
    return this.updates();
  }
}

async function* none(): AsyncGenerator<WatchedEvents> {}

// biome-ignore lint/correctness/useYield: a watch that fails before it brings anything
async function* failing(): AsyncGenerator<WatchedEvents> {
  throw new Error('compacted');
}

describe('a lock whose wait fails', () => {
  it('takes its key away and tells why the wait failed', async () => {
    const store = new OccupiedStore();
    store.updates = failing;
    await expect(new LeaseLock(store, 0xabn, NAME).acquire()).rejects.toThrow('compacted');
    expect(store.deleted).toEqual(['name/ab']);
  });

  it('tells so even if the key cannot be taken away', async () => {
    const store = new OccupiedStore();
    store.updates = failing;
    store.deleteFails = true;
    await expect(new LeaseLock(store, 0xabn, NAME).acquire()).rejects.toThrow('compacted');
  });

  it('knows a lost watch from a wait that was given up', async () => {
    const store = new OccupiedStore();
    await expect(new LeaseLock(store, 1n, NAME).acquire()).rejects.toThrow(
      'lost watcher waiting for delete',
    );
    const signal = AbortSignal.abort();
    await expect(new LeaseLock(store, 1n, NAME).acquire({ signal })).rejects.toThrow(
      'context canceled',
    );
  });
});

describe('an election', () => {
  it('keeps a candidate whose wait failed, and withdraws one that gave up', async () => {
    const store = new OccupiedStore();
    store.updates = failing;
    const election = new LeaseElection(store, 1n, NAME);
    await expect(election.campaign(NAME)).rejects.toThrow('compacted');
    expect(store.txns).toBe(1);
    const signal = AbortSignal.abort();
    await expect(election.campaign(NAME, { signal })).rejects.toThrow('compacted');
    expect(store.txns).toBe(3);
  });

  it('asks nobody whether one who does not stand for it leads', async () => {
    const store = new OccupiedStore();
    const election = new LeaseElection(store, 1n, NAME);
    await expect(election.proclaim(NAME)).rejects.toThrow('election: not leader');
    await election.resign();
    expect(store.txns).toBe(0);
  });

  it('writes the lease of a negative id as etcd does', () => {
    expect(new LeaseElection(new OccupiedStore(), -255n, NAME).key.toString()).toBe('name/-ff');
  });

  it('stops showing leaders when a watch is lost', async () => {
    const store = new OccupiedStore();
    store.updates = failing;
    const seen: string[] = [];
    for await (const { kv } of observeLeaders(store, NAME)) seen.push(kv.key.toString());
    expect(seen).toEqual(['name/1']);
  });
});
