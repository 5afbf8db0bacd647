import {
  type Campaign,
  Etcd3,
  EtcdLeaseInvalidError,
  EtcdLockFailedError,
  type Watcher,
} from 'etcd3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { tempDir } from '../support/temp-dir.js';

/** Resolves with the arguments of an emitter's next event. */
function nextEvent(
  emitter: { once(event: string, listener: (...values: unknown[]) => void): unknown },
  event: string,
): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...values) => resolve(values)));
}

/** Collects the changes that a watcher sees. */
class Changes {
  readonly seen: string[] = [];
  #wake: () => void = () => {};

  constructor(watcher: Watcher) {
    watcher.on('put', ({ key, value }) => this.#add(`${key}=${value}`));
    watcher.on('delete', ({ key }) => this.#add(`-${key}`));
  }

  /** Waits until so many were seen. */
  async count(wanted: number): Promise<readonly string[]> {
    while (this.seen.length < wanted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.seen;
  }

  #add(change: string): void {
    this.seen.push(change);
    this.#wake();
  }
}

describe('the etcd3 client', () => {
  let server: TestEtcd;
  let client: Etcd3;

  beforeAll(async () => {
    server = await startEtcd();
  });

  afterAll(() => server?.stop());

  beforeEach(() => {
    client = new Etcd3({ hosts: server.url });
  });

  afterEach(async () => {
    await client.delete().all();
    client.close();
  });

  it('puts, reads and deletes', async () => {
    expect(await client.get('a').string()).toBeNull();
    await client.put('a').value('1');
    const previous = await client.put('a').value('2').getPrevious();
    expect(previous.value.toString()).toBe('1');
    expect(await client.get('a').string()).toBe('2');
    expect(await client.get('a').number()).toBe(2);
    const binary = Buffer.from([0, 255, 10]);
    await client.put('b').value(binary);
    expect(await client.get('b').buffer()).toEqual(binary);
    const { deleted } = await client.delete().key('a').exec();
    expect(deleted).toBe('1');
    expect(await client.get('a').exists()).toBe(false);
    const { kvs, header } = await client.get('b').exec();
    expect(kvs[0]?.version).toBe('1');
    expect(Number(header.revision)).toBeGreaterThan(1);
  });

  it('reads ranges', async () => {
    for (const key of ['p/3', 'p/1', 'p/2', 'q']) await client.put(key).value(`of ${key}`);
    expect(await client.getAll().prefix('p/').strings()).toEqual({
      'p/1': 'of p/1',
      'p/2': 'of p/2',
      'p/3': 'of p/3',
    });
    expect(await client.getAll().prefix('p/').sort('Key', 'Descend').limit(2).keys()).toEqual([
      'p/3',
      'p/2',
    ]);
    expect(await client.getAll().prefix('p/').count()).toBe(3);
    expect(await client.getAll().inRange({ start: 'p/2', end: 'q' }).keys()).toEqual([
      'p/2',
      'p/3',
    ]);
    await client.delete().prefix('p/');
    expect(await client.getAll().keys()).toEqual(['q']);
  });

  it('compares and swaps', async () => {
    await client.put('balance').value('10');
    const swap = (from: string, to: string) =>
      client
        .if('balance', 'Value', '==', from)
        .then(client.put('balance').value(to))
        .else(client.get('balance'))
        .commit();
    expect((await swap('10', '20')).succeeded).toBe(true);
    const refused = await swap('10', '30');
    expect(refused.succeeded).toBe(false);
    expect(refused.responses[0]?.response_range?.kvs[0]?.value.toString()).toBe('20');
    const created = await client
      .if('new', 'Create', '==', 0)
      .then(client.put('new').value('1'))
      .commit();
    expect(created.succeeded).toBe(true);
  });

  it('runs software transactions that meet', async () => {
    await client.put('counter').value(0);
    const increment = () =>
      client.stm({ retries: 20 }).transact(async (transaction) => {
        const count = await transaction.get('counter').number();
        await transaction.put('counter').value((count ?? 0) + 1);
      });
    await Promise.all(Array.from({ length: 5 }, increment));
    expect(await client.get('counter').number()).toBe(5);
  });

  it('watches keys and prefixes, and stops', async () => {
    const watcher = await client.watch().prefix('w/').withPreviousKV().create();
    const changes = new Changes(watcher);
    const one = await client.watch().key('w/one').only('delete').create();
    const deletions = new Changes(one);
    await client.put('w/one').value('1');
    await client.put('elsewhere').value('x');
    await client.put('w/two').value('2');
    await client.delete().key('w/one');
    expect(await changes.count(3)).toEqual(['w/one=1', 'w/two=2', '-w/one']);
    expect(await deletions.count(1)).toEqual(['-w/one']);
    await watcher.cancel();
    await client.put('w/three').value('3');
    await client.delete().key('w/one');
    await one.cancel();
    expect(changes.seen.length).toBe(3);
  });

  it('reads what it missed from a revision on', async () => {
    const { header } = await client.put('past').value('1');
    await client.put('past').value('2');
    const watcher = await client.watch().key('past').startRevision(header.revision).create();
    const changes = new Changes(watcher);
    expect(await changes.count(2)).toEqual(['past=1', 'past=2']);
    await watcher.cancel();
  });

  it('grants leases, keeps them alive and lets them go', async () => {
    const lease = client.lease(5);
    const id = await lease.grant();
    await lease.put('leased').value('1');
    const { TTL } = await lease.keepaliveOnce();
    expect(TTL).toBe('5');
    const [row] = (await client.get('leased').exec()).kvs;
    expect(row?.lease).toBe(id);
    await lease.revoke();
    expect(await client.get('leased').string()).toBeNull();
    expect(lease.revoked()).toBe(true);
    await expect(lease.put('leased').value('2').exec()).rejects.toThrow(EtcdLeaseInvalidError);
  });

  it('keeps a lease alive by itself past its TTL, and sees it expire when it does not', async () => {
    const kept = client.lease(2);
    await kept.put('kept').value('1');
    const dropped = client.lease(2, { autoKeepAlive: false });
    await dropped.put('dropped').value('1');
    const watcher = await client.watch().key('dropped').create();
    const changes = new Changes(watcher);
    expect(await changes.count(1)).toEqual(['-dropped']);
    expect(await client.get('kept').string()).toBe('1');
    await watcher.cancel();
    await kept.revoke();
  });

  it('hears that a lease is lost', async () => {
    const lease = client.lease(1);
    const id = await lease.grant();
    const lost = nextEvent(lease, 'lost');
    await client.leaseClient.leaseRevoke({ ID: id });
    const [error] = await lost;
    expect(error).toBeInstanceOf(EtcdLeaseInvalidError);
  });

  it('locks', async () => {
    const first = client.lock('resource');
    await first.acquire();
    await expect(client.lock('resource').acquire()).rejects.toThrow(EtcdLockFailedError);
    await first.release();
    expect(await client.lock('resource').do(() => 'done')).toBe('done');
  });

  it('elects', async () => {
    const other = new Etcd3({ hosts: server.url });
    const campaigns: Campaign[] = [];
    try {
      const observer = await client.election('boss').observe();
      const changed = nextEvent(observer, 'change');
      const first = client.election('boss').campaign('one');
      campaigns.push(first);
      await first.wait();
      await changed;
      expect(observer.leader()).toBe('one');
      const second = other.election('boss').campaign('two');
      campaigns.push(second);
      const proclaimed = nextEvent(observer, 'change');
      await first.proclaim('still one');
      await proclaimed;
      expect(await other.election('boss').leader()).toBe('still one');
      await first.resign();
      await second.wait();
      expect(await other.election('boss').leader()).toBe('two');
      await observer.cancel();
    } finally {
      await Promise.allSettled(campaigns.map((campaign) => campaign.resign()));
      other.close();
    }
  });

  it('sees the members and the status', async () => {
    const { members } = await client.cluster.memberList({});
    expect(members.map(({ name }) => name)).toEqual(['default']);
    const { leader, header } = await client.maintenance.status();
    expect(leader).toBe(header.member_id);
  });
});

describe('the etcd3 client when the server restarts', () => {
  it('goes on watching where it was, and finds its data and leases', async () => {
    const directory = await tempDir();
    let server = await startEtcd({ storage: { directory } });
    const { url } = server;
    const client = new Etcd3({ hosts: url });
    try {
      const watcher = await client.watch().prefix('r/').create();
      const changes = new Changes(watcher);
      const lease = client.lease(60);
      await lease.put('r/leased').value('1');
      await client.put('r/before').value('1');
      await changes.count(2);

      const disconnected = nextEvent(watcher, 'disconnected');
      const connected = nextEvent(watcher, 'connected');
      await server.stop();
      await disconnected;
      server = await startEtcd({
        storage: { directory },
        flags: [`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      });
      expect(server.url).toBe(url);
      // Written before the watcher may be back: it must not miss it.
      const other = new Etcd3({ hosts: url });
      await other.put('r/between').value('2');
      other.close();
      await connected;
      await client.put('r/after').value('3');
      expect(await changes.count(4)).toEqual([
        'r/leased=1',
        'r/before=1',
        'r/between=2',
        'r/after=3',
      ]);
      expect(await client.get('r/before').string()).toBe('1');
      expect((await lease.keepaliveOnce()).TTL).toBe('60');
      await lease.revoke();
      expect(await changes.count(5)).toContain('-r/leased');
      await watcher.cancel();
    } finally {
      client.close();
      await server.stop();
    }
  });
});
