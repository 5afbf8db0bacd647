import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { Request } from '../../../src/proto/gen/etcdserverpb/etcdserver.js';
import { encodeInternalRequest } from '../../../src/proto/hot/internal-request.js';
import { EMPTY_CONF_STATE, type Entry, EntryType } from '../../../src/raft/types.js';
import type { Applier } from '../../../src/server/apply/applier.js';
import { ConsistentIndex } from '../../../src/server/apply/consistent-index.js';
import { EntryApplier } from '../../../src/server/apply/entry-applier.js';
import { versionEntry } from '../../../src/server/membership/entry-form.js';
import { PendingRequests } from '../../../src/server/pending-requests.js';
import { MemoryBackend, MemoryDisk } from '../../../src/storage/backend/memory.js';

const KEY = Buffer.from('k');
const backends: MemoryBackend[] = [];

/** An applier over a backend whose `apply` writes a row and then does what the test says. */
function setUp(
  disk: MemoryDisk,
  afterWrite: (value: string) => void,
  applyOther?: (kind: string) => void,
) {
  const backend = new MemoryBackend({ disk });
  backends.push(backend);
  const consistentIndex = new ConsistentIndex(backend);
  const pending = new PendingRequests(nodeClock, 1000, () => new Error('too late'));
  const applier = new EntryApplier({
    applier: {
      apply(kind: string, { key }: { key: Buffer }) {
        if (applyOther !== undefined) {
          applyOther(kind);
          return;
        }
        backend.put('key', KEY, key);
        afterWrite(key.toString());
      },
    } as unknown as Applier,
    pending,
    consistentIndex,
    logger: silentLogger,
    clock: nodeClock,
    observe: () => {},
    applyConfChange: () => EMPTY_CONF_STATE,
    onLeaderConfirmed: () => {},
    onQuotaExceeded: (then) => then(),
  });
  return { backend, consistentIndex, pending, applier };
}

/** A put of `key`, whose payload is a key field alone. */
function putEntry(index: number, id: bigint, key: string): Entry {
  const payload = Buffer.from(`\n${String.fromCharCode(key.length)}${key}`);
  const data = encodeInternalRequest({ id, username: '', authRevision: 0 }, 'put', payload);
  return { type: EntryType.Normal, term: 1, index, data };
}

describe('EntryApplier', () => {
  afterEach(() => {
    for (const backend of backends.splice(0)) backend.crash();
  });

  it('leaves an entry that failed half-way to the next start', async () => {
    const disk = new MemoryDisk();
    const { backend, applier, pending } = setUp(disk, (value) => {
      if (value === 'second') throw new Error('no space in the index');
    });
    applier.apply(putEntry(1, 1n, 'first'));
    await backend.commit();
    const second = putEntry(2, 2n, 'second');
    const waiting = pending.wait(2n, { key: Buffer.from('second') }, second.data);
    expect(() => applier.apply(second)).toThrow('no space in the index');
    await expect(waiting).rejects.toThrow('server stopped');
    await expect(backend.commit()).rejects.toThrow('the log entry 2 was not applied');
    await expect(backend.close()).rejects.toThrow('the log entry 2 was not applied');
    pending.close(undefined);

    const again = setUp(disk, () => {});
    expect(again.consistentIndex.index).toBe(1);
    expect(again.backend.get('key', KEY)?.toString()).toBe('first');
  });

  it('applies what the log holds, even if another request waits under its id', async () => {
    const { backend, applier, pending } = setUp(new MemoryDisk(), () => {});
    const ours = putEntry(1, 7n, 'ours');
    const waiting = pending.wait(7n, { key: Buffer.from('decoded before') }, ours.data);
    applier.apply(putEntry(1, 7n, 'theirs'));
    await waiting;
    expect(backend.get('key', KEY)?.toString()).toBe('theirs');
    const again = pending.wait(7n, { key: Buffer.from('decoded before') }, ours.data);
    applier.apply({ ...ours, index: 2 });
    await again;
    expect(backend.get('key', KEY)?.toString()).toBe('decoded before');
    pending.close(undefined);
  });

  it('takes what 3.4 and 3.5 write, and what they write for nothing', async () => {
    const applied: unknown[] = [];
    const { applier, pending, consistentIndex } = setUp(
      new MemoryDisk(),
      () => {},
      (kind) => {
        applied.push(kind);
      },
    );
    const entry = (index: number, data: Buffer): Entry => {
      return { type: EntryType.Normal, term: 1, index, data };
    };
    const data = versionEntry('v2', 9n, '3.4.0');
    const waiting = pending.wait(9n, { ver: '3.4.0' }, data);
    applier.apply(entry(1, data));
    await waiting;
    const sync = Request.create({ ID: 10n, Method: 'SYNC', Path: '/', Dir: false, Time: 1n });
    applier.apply(entry(2, Buffer.from(Request.encode(sync).finish())));
    expect(applied).toEqual(['clusterVersionSet']);
    expect(consistentIndex.index).toBe(2);
    const write = Request.create({ ID: 11n, Method: 'PUT', Path: '/1/key', Dir: false });
    expect(() => applier.apply(entry(3, Buffer.from(Request.encode(write).finish())))).toThrow(
      'the log entry 3 holds a request PUT /1/key to the v2 store',
    );
    pending.close(undefined);
  });

  it('does not skip an entry that it could not read before', async () => {
    const disk = new MemoryDisk();
    const { backend, applier } = setUp(disk, () => {});
    const unknown: Entry = {
      type: EntryType.Normal,
      term: 1,
      index: 1,
      data: Buffer.from([0xf2, 0x06, 0x02, 0x08, 0x01]),
    };
    expect(() => applier.apply(unknown)).toThrow('does not support');
    await expect(backend.close()).rejects.toThrow('was not applied');
    const again = setUp(disk, () => {});
    expect(() => again.applier.apply(unknown)).toThrow('does not support');
  });
});
