import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../../src/client/client.js';
import {
  WatchCreateRequest,
  type WatchRequest,
  WatchResponse,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../../src/proto/services.js';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';
import { RawStream } from '../../support/raw-stream.js';

const MAX_REQUEST_BYTES = 64 * 1024;
/** What a response may take above the largest request, as etcd counts. */
const FRAGMENT_OVERHEAD_BYTES = 512 * 1024;
const PROGRESS_MILLIS = 150;

const bytes = (text: string): Buffer => Buffer.from(text);

function heldBytes(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** One Watch stream. */
class RawWatch extends RawStream<WatchRequest, WatchResponse> {
  constructor(url: string) {
    super(url, SERVICES.watch.watch);
  }

  create(key: string, options: Partial<WatchCreateRequest> = {}): void {
    const value = WatchCreateRequest.create({ key: bytes(key), ...options });
    this.send({ requestUnion: { $case: 'createRequest', value } });
  }

  cancel(watchId: bigint): void {
    this.send({ requestUnion: { $case: 'cancelRequest', value: { watchId } } });
  }

  requestProgress(): void {
    this.send({ requestUnion: { $case: 'progressRequest', value: {} } });
  }
}

describe('Watch over gRPC', () => {
  let etcd: TestEtcd;
  let client: Client;
  const streams: RawWatch[] = [];

  beforeAll(async () => {
    etcd = await startEtcd({
      flags: [
        `--max-request-bytes=${MAX_REQUEST_BYTES}`,
        `--watch-progress-notify-interval=${PROGRESS_MILLIS}ms`,
      ],
    });
    client = new Client({ endpoints: [etcd.endpoint] });
  });

  afterEach(() => {
    for (const stream of streams.splice(0)) stream.close();
  });

  afterAll(async () => {
    client?.close();
    await etcd?.stop();
  });

  function open(): RawWatch {
    const stream = new RawWatch(etcd.url);
    streams.push(stream);
    return stream;
  }

  async function put(key: string, value: string | Buffer = 'x'): Promise<number> {
    const { header } = await client.kv.put({ key: bytes(key), value: Buffer.from(value) });
    return header?.revision ?? -1;
  }

  it('creates, tells, cancels and is silent after that', async () => {
    const stream = open();
    stream.create('life');
    expect(await stream.next()).toMatchObject({ watchId: 0n, created: true, canceled: false });
    const revision = await put('life');
    expect(await stream.next()).toMatchObject({ watchId: 0n, header: { revision } });
    stream.cancel(0n);
    expect(await stream.next()).toMatchObject({ watchId: 0n, created: false, canceled: true });
    await put('life');
    stream.cancel(0n);
    stream.cancel(9n);
    stream.create('life');
    expect(await stream.next()).toMatchObject({ watchId: 1n, created: true });
  });

  it('goes on after the half-close of its client', async () => {
    const stream = open();
    stream.create('half');
    stream.halfClose();
    expect((await stream.next()).created).toBe(true);
    await put('half');
    expect((await stream.next()).events).toHaveLength(1);
  });

  it('refuses ids in use, negative revisions and empty ranges, and goes on', async () => {
    const stream = open();
    stream.create('a', { watchId: 5n });
    stream.create('a', { watchId: 5n });
    stream.create('a', { startRevision: -1 });
    stream.create('b', { rangeEnd: bytes('a') });
    stream.create('a', { watchId: 6n });
    const refused = { watchId: -1n, created: true, canceled: true, compactRevision: 0 };
    expect(await stream.next()).toMatchObject({ watchId: 5n, created: true, canceled: false });
    expect(await stream.next()).toMatchObject({
      ...refused,
      cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
    });
    expect(await stream.next()).toMatchObject({
      ...refused,
      cancelReason: 'etcdserver: mvcc: required revision has been compacted',
    });
    expect(await stream.next()).toMatchObject({
      ...refused,
      cancelReason: 'mvcc: watcher range is empty',
    });
    expect(await stream.next()).toMatchObject({ watchId: 6n, created: true, canceled: false });
  });

  it('ends a watcher at a compacted revision, without a header revision or a reason', async () => {
    await put('compacted');
    const revision = await put('compacted');
    await client.kv.compact({ revision });
    const stream = open();
    stream.create('compacted', { startRevision: revision - 1 });
    expect((await stream.next()).created).toBe(true);
    const response = await stream.next();
    expect(response).toMatchObject({
      watchId: 0n,
      canceled: true,
      compactRevision: revision,
      cancelReason: '',
      events: [],
    });
    expect(response.header?.revision).toBe(0);
    stream.create('compacted', { startRevision: revision });
    expect((await stream.next()).created).toBe(true);
    expect((await stream.next()).events).toHaveLength(1);
  });

  it('tells progress when asked, and by itself while nothing else happens', async () => {
    const revision = await put('progress');
    const stream = open();
    stream.create('progress', { progressNotify: true });
    expect((await stream.next()).created).toBe(true);
    stream.requestProgress();
    expect(await stream.next()).toMatchObject({ watchId: -1n, header: { revision }, events: [] });
    expect(await stream.next()).toMatchObject({ watchId: 0n, header: { revision }, events: [] });
  });

  it('splits large responses for those who ask for it, and for nobody else', async () => {
    const value = 'v'.repeat(MAX_REQUEST_BYTES - 1024);
    const count = 20;
    const startRevision = await put('large/0', value);
    for (let i = 1; i < count; i++) await put(`large/${i}`, value);
    const range = { rangeEnd: bytes('large0'), startRevision };
    const [split, whole] = [open(), open()];
    split.create('large/', { ...range, fragment: true });
    whole.create('large/', range);
    expect((await split.next()).created).toBe(true);
    expect((await whole.next()).created).toBe(true);
    expect(await whole.next()).toMatchObject({ fragment: false, events: { length: count } });
    const parts: WatchResponse[] = [];
    do parts.push(await split.next());
    while (parts.at(-1)?.fragment);
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) {
      const size = WatchResponse.encode(part).finish().length;
      expect(size).toBeLessThan(MAX_REQUEST_BYTES + FRAGMENT_OVERHEAD_BYTES);
    }
    const keys = parts.flatMap(({ events }) => events.map(({ kv }) => `${kv?.key}`));
    expect(keys).toEqual(Array.from({ length: count }, (_, i) => `large/${i}`));
  });

  it('serves many watchers on one stream', async () => {
    const count = 2000;
    const stream = open();
    for (let i = 0; i < count; i++) stream.create(`many/${i % 10}`);
    const ids = new Set<bigint>();
    for (let i = 0; i < count; i++) ids.add((await stream.next()).watchId);
    expect(ids.size).toBe(count);
    const revision = await put('many/3');
    const told = new Set<bigint>();
    for (let i = 0; i < count / 10; i++) {
      const { watchId, header, events } = await stream.next();
      expect({ revision: header?.revision, events: events.length }).toEqual({
        revision,
        events: 1,
      });
      told.add(watchId);
    }
    expect(told.size).toBe(count / 10);
    stream.requestProgress();
    expect((await stream.next()).watchId).toBe(-1n);
  });

  it('bounds what it keeps for a client that does not read, and loses nothing', async () => {
    const [watchers, writes] = [100, 150];
    const value = Buffer.alloc(20_000, 'v');
    const stream = open();
    for (let i = 0; i < watchers; i++) stream.create('slow');
    for (let i = 0; i < watchers; i++) expect((await stream.next()).created).toBe(true);
    stream.pause();
    const before = heldBytes();
    const first = await put('slow', value);
    for (let i = 1; i < writes; i++) await put('slow', value);
    // A quarter of what all the responses would take.
    expect(heldBytes() - before).toBeLessThan((watchers * writes * value.length) / 4);
    stream.resume();
    const nextRevisions = new Map<bigint, number>();
    for (let seen = 0; seen < watchers * writes; ) {
      const { watchId, events } = await stream.next();
      for (const { kv } of events) {
        const expected = nextRevisions.get(watchId) ?? first;
        if (kv?.modRevision !== expected) expect(kv?.modRevision).toBe(expected);
        nextRevisions.set(watchId, expected + 1);
        seen++;
      }
    }
    expect(nextRevisions.size).toBe(watchers);
  });
});
