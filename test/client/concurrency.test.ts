import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { currentLeader, Election, observeLeaders } from '../../src/client/concurrency/election.js';
import { Lock } from '../../src/client/concurrency/lock.js';
import { Session } from '../../src/client/concurrency/session.js';
import { startEtcd } from '../../src/testing.js';
import { hasRealEtcd, startRealEtcd } from '../support/real-etcd.js';

const bytes = (text: string): Buffer => Buffer.from(text);

interface Server {
  readonly endpoint: string;
  stop(): Promise<void>;
}

const OURS = { name: 'our server', start: (): Promise<Server> => startEtcd() };
const REAL = { name: 'a real etcd', start: (): Promise<Server> => startRealEtcd() };

describe.each(hasRealEtcd ? [OURS, REAL] : [OURS])('locks and elections on $name', ({ start }) => {
  let etcd: Server;
  let client: Client;

  beforeAll(async () => {
    etcd = await start();
    client = new Client({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    client?.close();
    await etcd?.stop();
  });

  it('hands a lock over in the order of arrival', async () => {
    const sessions = [await Session.open(client), await Session.open(client)] as const;
    const first = new Lock(sessions[0], bytes('lock'));
    const second = new Lock(sessions[1], bytes('lock'));
    await first.acquire();
    expect(first.key.toString()).toBe(`lock/${sessions[0].lease.toString(16)}`);
    await expect(second.tryAcquire()).rejects.toThrow('mutex: Locked by another session');
    let held = false;
    const waiting = second.acquire().then(() => {
      held = true;
    });
    // Another round trip on the same connection: the waiter has entered its key by then.
    await client.kv.range({ key: bytes('x') });
    expect(held).toBe(false);
    await first.release();
    await waiting;
    await second.release();
    await expect(second.release()).rejects.toThrow('mutex: lock has already been released');
    await Promise.all(sessions.map((session) => session.close()));
    expect(sessions[0].lost.aborted).toBe(true);
  });

  it('removes the key of a waiter that gives up', async () => {
    const sessions = [await Session.open(client, 5), await Session.open(client, 5)] as const;
    const holder = new Lock(sessions[0], bytes('impatient'));
    await holder.acquire();
    const abort = new AbortController();
    const waiter = new Lock(sessions[1], bytes('impatient'));
    const waiting = waiter.acquire({ signal: abort.signal });
    const watcher = client.watch.watch({ key: waiter.key, startRevision: 1 });
    await watcher[Symbol.asyncIterator]().next();
    abort.abort();
    await expect(waiting).rejects.toThrow('context canceled');
    const keys = await client.kv.range({ key: bytes('impatient/'), rangeEnd: bytes('impatient0') });
    expect(keys.kvs.map(({ key }) => key.toString())).toEqual([holder.key.toString()]);
    watcher.cancel();
    await Promise.all(sessions.map((session) => session.close()));
  });

  it('elects one after another and shows it to observers', async () => {
    const sessions = [await Session.open(client), await Session.open(client)] as const;
    const name = bytes('election');
    await expect(currentLeader(client, name)).rejects.toThrow('election: no leader');
    const observed = observeLeaders(client, name);
    const next = async (): Promise<string | undefined> => {
      const { value } = await observed.next();
      return value?.kv.value.toString();
    };
    const firstSeen = next();
    const first = new Election(sessions[0], name);
    const second = new Election(sessions[1], name);
    await first.campaign(bytes('one'));
    expect(await firstSeen).toBe('one');
    const elected = second.campaign(bytes('two'));
    const proclaimed = next();
    await first.proclaim(bytes('one again'));
    expect(await proclaimed).toBe('one again');
    await first.resign();
    await elected;
    expect(await next()).toBe('two');
    expect((await currentLeader(client, name)).kv.key.toString()).toBe(second.key.toString());
    await expect(first.proclaim(bytes('too late'))).rejects.toThrow('election: not leader');
    // A proclamation that is refused leaves no key behind.
    expect((await client.kv.range({ key: first.key })).kvs).toEqual([]);
    await observed.return(undefined);
    await Promise.all(sessions.map((session) => session.close()));
  });
});
