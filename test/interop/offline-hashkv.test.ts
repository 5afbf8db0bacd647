import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { startEtcdProcess } from '../support/etcd-process.js';
import { hasRealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runBinary } from '../support/run-binary.js';
import { tempDir } from '../support/temp-dir.js';

const KEYS = 40;
const ROUNDS = 30;

const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Served {
  readonly endpoint: string;
  readonly data: string;
  /** Ends the server and leaves the directory. */
  end(): Promise<unknown>;
}

async function startReal(): Promise<Served> {
  const real = await startRealEtcd({ flags: ['--unsafe-no-fsync'] });
  stops.push(() => real.stop());
  return { endpoint: real.endpoint, data: real.dataDir, end: () => real.kill() };
}

async function startOwn(): Promise<Served> {
  const data = await tempDir();
  const own = await startEtcdProcess(data, ['--unsafe-no-fsync']);
  stops.push(() => own.kill('SIGKILL'));
  return { endpoint: own.endpoint, data, end: () => own.kill('SIGTERM') };
}

async function fileHash(path: string, revision: number) {
  const argv = ['hashkv', '-wjson', path, `--rev=${revision}`];
  const { stdout, stderr, exitCode } = await runBinary('etcdutl', argv);
  return { ...JSON.parse(exitCode === 0 ? stdout.toString() : '{}'), stderr };
}

async function put(client: Client, round: number): Promise<number> {
  const puts = Array.from({ length: KEYS }, (_, at) =>
    client.kv.put({ key: Buffer.from(`key-${at}`), value: Buffer.alloc(200, round) }),
  );
  const done = await Promise.all(puts);
  return Math.max(...done.map(({ header }) => header?.revision ?? 0));
}

describe.skipIf(!hasRealEtcd)('hashkv of a directory', () => {
  it.each([
    ['a real etcd', startReal],
    ['ours', startOwn],
  ])('is HashKV of its server, at every revision that is kept: %s', async (_name, start) => {
    const served = await start();
    const client = new Client({ endpoints: [served.endpoint] });
    let revision = 0;
    for (let round = 0; round < 10; round++) revision = await put(client, round);
    await client.kv.deleteRange({ key: Buffer.from('key-1'), rangeEnd: Buffer.from('key-2') });
    const compacted = revision - 100;
    await client.kv.compact({ revision: compacted, physical: true });
    for (let round = 0; round < 3; round++) revision = await put(client, round);
    const live = new Map<number, number>();
    for (const at of [0, compacted + 1, compacted + 60, revision - 50, revision]) {
      live.set(at, (await client.maintenance.hashKv(at)).hash);
    }
    client.close();
    // Both commit what they wrote within a moment.
    const latest = { hash: live.get(0) };
    await expect.poll(() => fileHash(served.data, 0), { timeout: 5000 }).toMatchObject(latest);
    await served.end();
    for (const [at, hash] of live) {
      expect(await fileHash(served.data, at), `revision ${at}`).toMatchObject({ hash });
    }
  });

  it('is right, or says that it cannot be told, while a server writes', async () => {
    for (const start of [startReal, startOwn]) {
      const served = await start();
      const client = new Client({ endpoints: [served.endpoint] });
      let revision = await put(client, 0);
      let isBusy = true;
      const writing = (async () => {
        for (let round = 0; isBusy && round < ROUNDS * 100; round++) {
          revision = await put(client, round);
        }
      })();
      const found: { hashRevision: number; hash: number }[] = [];
      for (let reading = 0; reading < 6; reading++) {
        const { hash, hashRevision, stderr } = await fileHash(served.data, 0);
        if (hash === undefined) expect(stderr).toContain('a server wrote to the database');
        else found.push({ hash, hashRevision });
      }
      isBusy = false;
      await writing;
      for (const { hash, hashRevision } of found) {
        expect((await client.maintenance.hashKv(hashRevision)).hash).toBe(hash);
      }
      // Ours keeps the pages of what is being read.
      if (start === startOwn) expect(found.length).toBe(6);
      expect(revision).toBeGreaterThan(ROUNDS);
      client.close();
    }
  });
});
