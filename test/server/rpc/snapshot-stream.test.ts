import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { SnapshotResponse } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { LocalStream } from '../../../src/server/rpc/local-stream.js';
import { sendSnapshot } from '../../../src/server/rpc/snapshot-stream.js';
import type { Backend, BackendSnapshot } from '../../../src/storage/backend/backend.js';
import { BUCKETS } from '../../../src/storage/backend/backend.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { BboltFile } from '../../../src/storage/bbolt/bbolt-file.js';
import { encodeRevisionKey } from '../../../src/storage/mvcc/revision-key.js';
import { putFile } from '../../storage/wal/support.js';

const ROWS = 3000;
const VALUE = Buffer.alloc(200, 'v');

function filledBackend(): MemoryBackend {
  const backend = new MemoryBackend();
  for (let row = 0; row < ROWS; row++) backend.put('key', encodeRevisionKey(row + 2, 0), VALUE);
  backend.put('meta', Buffer.from('storageVersion'), Buffer.from('3.7.0'));
  return backend;
}

/** A backend that counts the snapshots that are open. */
function counted(backend: Backend): { snapshots: Pick<Backend, 'snapshot'>; open: () => number } {
  let open = 0;
  const snapshot = async (): Promise<BackendSnapshot> => {
    const taken = await backend.snapshot();
    open++;
    return {
      get: (bucket, key) => taken.get(bucket, key),
      range: (...request) => taken.range(...request),
      close: () => {
        open--;
        taken.close();
      },
    };
  };
  return { snapshots: { snapshot }, open: () => open };
}

function newStream(): LocalStream {
  const metadata = { get: () => undefined };
  return new LocalStream({ method: '', metadata, peer: '', deadlineMillis: undefined }, undefined);
}

async function bucketsOf(image: Buffer): Promise<Record<string, number>> {
  const fs = new MemoryFs({ tracked: false });
  await putFile(fs, '/db', image);
  const file = await BboltFile.open(fs, '/db');
  const counts: Record<string, number> = {};
  for await (const bucket of file.buckets()) {
    let rows = 0;
    for await (const leaf of file.rows(bucket)) rows += leaf.length;
    counts[bucket.name.toString()] = rows;
  }
  await file.close();
  return counts;
}

describe('the stream of a snapshot', () => {
  it('is the state at its start, whatever is written meanwhile, and its checksum', async () => {
    const backend = filledBackend();
    const { snapshots, open } = counted(backend);
    const stream = newStream();
    const sending = sendSnapshot({ backend: snapshots, clock: nodeClock }, stream);
    const responses: SnapshotResponse[] = [];
    for await (const message of stream) {
      responses.push(SnapshotResponse.decode(message));
      const revision = ROWS + 2 + responses.length;
      backend.put('key', encodeRevisionKey(revision, 0), VALUE);
      backend.delete('key', encodeRevisionKey(ROWS + 2 - responses.length, 0));
    }
    await sending;
    expect(open()).toBe(0);
    const last = responses.pop();
    const image = Buffer.concat(responses.map(({ blob }) => blob));
    expect(last?.blob).toEqual(createHash('sha256').update(image).digest());
    expect(last?.remainingBytes).toBe(0);
    let remaining = image.length;
    for (const { blob, remainingBytes, version } of responses) {
      expect(blob.length).toBeLessThanOrEqual(32 * 1024);
      remaining -= blob.length;
      expect(remainingBytes).toBe(remaining);
      expect(version).toBe('3.7.0');
    }
    expect(remaining).toBe(0);
    const empty = Object.fromEntries(BUCKETS.map((bucket) => [bucket, 0]));
    expect(await bucketsOf(image)).toEqual({ ...empty, key: ROWS, meta: 1 });
  });

  it('waits for its reader, and gives the view back when the reader leaves', async () => {
    const { snapshots: backend, open } = counted(filledBackend());
    const stream = newStream();
    const sending = sendSnapshot({ backend, clock: nodeClock }, stream);
    const reader = stream[Symbol.asyncIterator]();
    await reader.next();
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    // The whole file has more blobs than a stream lets wait.
    expect(open()).toBe(1);
    stream.close();
    await sending;
    expect(open()).toBe(0);
  });

  it('takes no view for a call that is over', async () => {
    const { snapshots: backend, open } = counted(filledBackend());
    const stream = newStream();
    stream.close();
    await sendSnapshot({ backend, clock: nodeClock }, stream);
    expect(open()).toBe(0);
  });

  it('leaves others their turns while it plans and sends', async () => {
    const backend = filledBackend();
    const stream = newStream();
    let millis = 0;
    let deferred = 0;
    const clock = {
      // Time goes by quickly: every look at it ends a turn.
      monotonicMillis: () => (millis += 10),
      defer: (callback: () => void) => {
        deferred++;
        nodeClock.defer(callback);
      },
    };
    const sending = sendSnapshot({ backend, clock }, stream);
    let messages = 0;
    for await (const _message of stream) messages++;
    await sending;
    expect(messages).toBeGreaterThan(10);
    expect(deferred).toBeGreaterThan(messages);
  });
});
