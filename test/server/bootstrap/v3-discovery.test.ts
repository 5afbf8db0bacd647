import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { connectDiscovery } from '../../../src/cli/discovery-store.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import {
  clusterFromDiscovery,
  DiscoveryError,
  type DiscoveryStore,
} from '../../../src/server/bootstrap/v3-discovery.js';
import type { ServiceDiscovery } from '../../../src/server/config/cluster-discovery.js';
import { hasRealEtcd, startRealEtcd } from '../../support/real-etcd.js';

const SETTINGS: ServiceDiscovery = {
  kind: 'service',
  token: 'token',
  endpoints: ['http://127.0.0.1:1'],
  dialTimeoutMillis: 2000,
  requestTimeoutMillis: 5000,
  keepAliveMillis: 2000,
  keepAliveTimeoutMillis: 6000,
  isInsecure: true,
  skipsVerification: false,
  certFile: '',
  keyFile: '',
  caFile: '',
  user: '',
  password: '',
};

const SIZE_KEY = '/_etcd/registry/token/_config/size';
const MEMBERS = '/_etcd/registry/token/members/';

/** A discovery service in memory, which may fail a number of times. */
class MemoryDiscovery {
  readonly #keys = new Map<string, { readonly value: string; readonly createRevision: number }>();
  #revision = 1;
  #wake: (() => void)[] = [];
  failures = 0;
  closed = 0;

  put(key: string, value: string): void {
    this.#revision++;
    const { createRevision = this.#revision } = this.#keys.get(key) ?? {};
    this.#keys.set(key, { value, createRevision });
    for (const wake of this.#wake.splice(0)) wake();
  }

  readonly connect = async (): Promise<DiscoveryStore> => ({
    list: async (prefix) => {
      this.#fail();
      return { revision: this.#revision, entries: this.#below(prefix) };
    },
    put: async (key, value) => {
      this.#fail();
      this.put(key, value);
    },
    watch: (prefix, fromRevision) => this.#watch(prefix, fromRevision),
    close: async () => {
      this.closed++;
    },
  });

  async *#watch(prefix: string, fromRevision: number) {
    let seen = fromRevision - 1;
    for (;;) {
      this.#fail();
      const last = this.#revision;
      for (const entry of this.#below(prefix)) if (entry.createRevision > seen) yield entry;
      seen = last;
      if (this.#revision === last) await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #below(prefix: string) {
    return [...this.#keys]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, entry]) => ({ key, ...entry }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #fail(): void {
    if (this.failures === 0) return;
    this.failures--;
    throw new Error('unavailable');
  }
}

/** Waits pass at once, and are noted. */
function hurried() {
  const waits: number[] = [];
  return {
    waits,
    clock: {
      setTimer: (millis: number, callback: () => void) => {
        waits.push(millis);
        queueMicrotask(callback);
        return { cancel: () => {} };
      },
    },
  };
}

function join(service: MemoryDiscovery, id: string, text: string, clock = hurried().clock) {
  return clusterFromDiscovery(
    SETTINGS,
    { clock, logger: silentLogger, connectDiscovery: service.connect },
    { id, text },
  );
}

describe('the discovery service', () => {
  it('brings the members together in the order in which they came', async () => {
    const service = new MemoryDiscovery();
    service.put(SIZE_KEY, '3');
    const all = [
      join(service, 'c', 'c=http://c:1'),
      join(service, 'b', 'b=http://b:1,b=http://b:2'),
      join(service, 'a', 'a=http://a:1'),
    ];
    const expected = {
      c: ['http://c:1'],
      b: ['http://b:1', 'http://b:2'],
      a: ['http://a:1'],
    };
    for (const cluster of await Promise.all(all)) {
      expect(Object.fromEntries(cluster)).toEqual(expected);
    }
    expect(service.closed).toBe(3);
    // One that comes back finds its place; another does not.
    expect(Object.fromEntries(await join(service, 'c', 'c=http://c:1'))).toEqual(expected);
    await expect(join(service, 'd', 'd=http://d:1')).rejects.toEqual(
      new DiscoveryError('failed to join discovery cluster (discovery: cluster is full)'),
    );
    expect(service.closed).toBe(5);
  });

  it.each([
    [undefined, 'discovery: size key not found'],
    ['0', 'discovery: size key is bad'],
    ['-1', 'discovery: size key is bad'],
    ['three', 'discovery: size key is bad'],
  ])('refuses for good with size %j', async (size, reason) => {
    const service = new MemoryDiscovery();
    if (size !== undefined) service.put(SIZE_KEY, size);
    await expect(join(service, 'a', 'a=http://a:1')).rejects.toEqual(
      new DiscoveryError(`failed to join discovery cluster (${reason})`),
    );
  });

  it('is asked again after growing pauses while it does not answer', async () => {
    const service = new MemoryDiscovery();
    service.put(SIZE_KEY, '1');
    service.failures = 10;
    const { clock, waits } = hurried();
    const cluster = await join(service, 'a', 'a=http://a:1', clock);
    expect([...cluster.keys()]).toEqual(['a']);
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 256, 256].map((s) => s * 1000));
  });

  it('is asked again when a watch breaks off', async () => {
    const service = new MemoryDiscovery();
    service.put(SIZE_KEY, '2');
    const { clock, waits } = hurried();
    const joined = join(service, 'a', 'a=http://a:1', clock);
    await new Promise((resolve) => setImmediate(resolve));
    service.failures = 1;
    service.put('/elsewhere', '');
    await new Promise((resolve) => setImmediate(resolve));
    service.put(`${MEMBERS}b`, 'b=http://b:1');
    expect([...(await joined).keys()]).toEqual(['a', 'b']);
    expect(waits).toEqual([2000]);
  });

  it.each([
    ['b=nonsense', 'discovery: invalid peer URL'],
    ['b=http://a:1', 'discovery cluster a=http://a:1,b=http://a:1 has duplicate url'],
  ])('must tell URLs: %s', async (text, reason) => {
    const service = new MemoryDiscovery();
    service.put(SIZE_KEY, '2');
    service.put(`${MEMBERS}b`, text);
    await expect(join(service, 'a', 'a=http://a:1')).rejects.toThrow(reason);
  });

  it.skipIf(!hasRealEtcd)('may be a real etcd', async () => {
    const etcd = await startRealEtcd();
    try {
      etcd.ctl(['put', SIZE_KEY, '2']);
      const settings = { ...SETTINGS, endpoints: [`http://${etcd.endpoint}`] };
      const options = {
        clock: nodeClock,
        logger: silentLogger,
        connectDiscovery: async (asked: ServiceDiscovery) => connectDiscovery(asked),
      };
      const first = clusterFromDiscovery(settings, options, { id: '1', text: 'a=http://a:1' });
      const second = clusterFromDiscovery(settings, options, { id: '2', text: 'b=http://b:1' });
      expect(Object.fromEntries(await first)).toEqual(Object.fromEntries(await second));
      expect([...(await first).keys()].sort()).toEqual(['a', 'b']);
      expect(etcd.ctl(['get', `${MEMBERS}1`, '--print-value-only']).toString()).toBe(
        'a=http://a:1\n',
      );
      await expect(
        clusterFromDiscovery(settings, options, { id: '3', text: 'c=http://c:1' }),
      ).rejects.toThrow('discovery: cluster is full');
    } finally {
      await etcd.stop();
    }
  });
});
