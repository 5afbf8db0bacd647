import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { errorText } from '../../src/client/errors.js';
import { isProgress, type Watcher, type WatchUpdate } from '../../src/client/watcher.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';

const bytes = (text: string): Buffer => Buffer.from(text);

/** Reads updates until `count` events have come; the result is their values. */
async function values(watcher: Watcher, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const update of watcher) {
    for (const event of update.events) {
      found.push(event.kv?.value.toString() ?? '');
    }
    if (found.length >= count) {
      break;
    }
  }
  return found;
}

async function nextUpdate(watcher: Watcher): Promise<WatchUpdate> {
  const { value } = await watcher[Symbol.asyncIterator]().next();
  return value;
}

describe.skipIf(!hasRealEtcd)('watching a real etcd', () => {
  let etcd: RealEtcd;
  let client: Client;

  beforeAll(async () => {
    etcd = await startRealEtcd();
    client = new Client({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    client?.close();
    await etcd?.stop();
  });

  it('delivers events, with previous values, from now on', async () => {
    const watcher = client.watch.watch({ key: bytes('a'), prevKv: true });
    await watcher.established;
    await client.kv.put({ key: bytes('a'), value: bytes('1') });
    await client.kv.deleteRange({ key: bytes('a') });
    const put = await nextUpdate(watcher);
    expect(put.events[0]?.kv?.value.toString()).toBe('1');
    const deletion = await nextUpdate(watcher);
    expect(deletion.events[0]?.type).toBe(1);
    expect(deletion.events[0]?.prevKv?.value.toString()).toBe('1');
    watcher.cancel();
  });

  it('carries several watches over one stream', async () => {
    const watchers = ['m1', 'm2', 'm3'].map((key) => client.watch.watch({ key: bytes(key) }));
    await Promise.all(watchers.map((watcher) => watcher.established));
    for (const key of ['m3', 'm1', 'm2']) {
      await client.kv.put({ key: bytes(key), value: bytes(key) });
    }
    const found = await Promise.all(watchers.map((watcher) => values(watcher, 1)));
    expect(found).toEqual([['m1'], ['m2'], ['m3']]);
  });

  it('replays history and puts fragments together', async () => {
    const { header } = await client.kv.put({ key: bytes('h/0'), value: bytes('0') });
    const big = Buffer.alloc(400_000, 0x62);
    for (let index = 1; index <= 8; index++) {
      await client.kv.put({ key: bytes(`h/${index}`), value: big });
    }
    const watcher = client.watch.watch({
      key: bytes('h/'),
      rangeEnd: bytes('h0'),
      startRevision: header?.revision ?? 0,
      fragment: true,
    });
    const first = await nextUpdate(watcher);
    expect(first.events).toHaveLength(9);
    watcher.cancel();
  });

  it('answers progress requests', async () => {
    const watcher = client.watch.watch({ key: bytes('nobody') });
    await watcher.established;
    client.watch.requestProgress();
    const update = await nextUpdate(watcher);
    expect(isProgress(update)).toBe(true);
    watcher.cancel();
  });

  it('ends with the reason when the server refuses or has compacted', async () => {
    const refused = client.watch.watch({ key: bytes('b'), rangeEnd: bytes('a') });
    const update = await nextUpdate(refused);
    expect(update.canceled).toBe(true);
    await client.kv.put({ key: bytes('c'), value: bytes('1') });
    const { header } = await client.kv.put({ key: bytes('c'), value: bytes('2') });
    await client.kv.compact({ revision: header?.revision ?? 0 });
    const old = client.watch.watch({ key: bytes('c'), startRevision: 1 });
    const updates: WatchUpdate[] = [];
    for await (const each of old) {
      updates.push(each);
    }
    expect(updates).toHaveLength(1);
    expect(updates[0]?.compactRevision).toBe(header?.revision);
    expect(errorText(updates[0]?.error)).toBe(
      'etcdserver: mvcc: required revision has been compacted',
    );
  });

  it('goes on after the server was killed and started again, without gaps or repeats', async () => {
    const first = await startRealEtcd();
    const other = new Client({ endpoints: [first.endpoint] });
    let second: RealEtcd | undefined;
    try {
      const watcher = other.watch.watch({ key: bytes('r') });
      await watcher.established;
      await other.kv.put({ key: bytes('r'), value: bytes('1') });
      expect((await nextUpdate(watcher)).events[0]?.kv?.value.toString()).toBe('1');
      await first.kill();
      second = await startRealEtcd({ dataDir: first.dataDir, ports: first.ports });
      for (const value of ['2', '3']) {
        second.ctl(['put', 'r', value]);
      }
      expect(await values(watcher, 2)).toEqual(['2', '3']);
    } finally {
      other.close();
      await first.stop();
      await second?.stop();
    }
  });
});
