import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Client } from '../../src/client/client.js';
import type { Random } from '../../src/platform/random.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { clientDestination, clientInspection } from '../support/client-server.js';
import { CrashHistory } from '../support/crash-history.js';
import { type EtcdProcess, spawnEtcd } from '../support/etcd-process.js';
import { tempDir } from '../support/temp-dir.js';

const ROUNDS = Number(process.env.ETCDKIT_CRASH_ROUNDS ?? 10);
const SEED = Number(process.env.ETCDKIT_CRASH_SEED ?? 1);
const CLIENTS = 12;
/** Each round is killed after at most this many acknowledgements. */
const MAX_ACKNOWLEDGEMENTS = 400;
/** So few that rounds meet snapshots, and log segments that are released. */
const FLAGS = ['--snapshot-count=700', '--backend-batch-interval=20ms'];
/** One start in this many is killed before it serves. */
const KILLED_START_EVERY = 8;
const START_MILLIS = 150;
/** No part of a round takes as long, however busy the machine. */
const STAGE_MILLIS = 20_000;

/** Starts the server, now and then only after a start that was killed. */
async function start(directory: string, random: Random): Promise<EtcdProcess> {
  while (random.integer(KILLED_START_EVERY) === 0) {
    const early = spawnEtcd(directory, FLAGS);
    await Promise.race([sleep(random.integer(START_MILLIS)), early.ready]);
    await early.kill('SIGKILL');
  }
  const server = spawnEtcd(directory, FLAGS);
  if ((await server.ready) === 'ended') {
    throw new Error(`the server did not start again: ${(await server.exit).stderr}`);
  }
  return server;
}

/** Lets clients write and kills the server in the midst of it. */
async function writeUntilKilled(
  history: CrashHistory,
  server: EtcdProcess,
  client: Client,
  random: Random,
): Promise<void> {
  const last = 1 + random.integer(MAX_ACKNOWLEDGEMENTS);
  const delayMillis = random.float() * 3;
  let killed: Promise<unknown> | undefined;
  await history.write(clientDestination(client), random, (count) => {
    if (count !== last) return;
    const kill = async (): Promise<void> => {
      await sleep(delayMillis);
      await server.kill('SIGKILL');
      client.close();
    };
    killed = kill();
  });
  if (killed !== undefined) {
    await killed;
    return;
  }
  const { stderr } = await server.kill('SIGKILL');
  throw new Error(`the clients were refused before the kill: ${stderr}`);
}

/** A server or client that hangs should say where. */
async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what} takes longer than ${STAGE_MILLIS} ms`)),
      STAGE_MILLIS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

it(
  `keeps what it acknowledged through ${ROUNDS} kills under concurrent writes`,
  async () => {
    const directory = await tempDir();
    const random = seededRandom(SEED);
    const history = new CrashHistory(CLIENTS);
    for (let round = 0; round <= ROUNDS; round++) {
      const name = `of round ${round}, seed ${SEED},`;
      const server = await inTime(`the start ${name}`, start(directory, random));
      onTestFinished(async () => {
        await server.kill('SIGKILL');
      });
      const client = new Client({ endpoints: [server.endpoint] });
      onTestFinished(() => client.close());
      if (round === 0) await history.begin(clientDestination(client));
      const verified = history.verify(clientInspection(client)).catch((error: unknown) => {
        throw new Error(`round ${round} of seed ${SEED}`, { cause: error });
      });
      await inTime(`the check ${name}`, verified);
      if (round === ROUNDS) break;
      await inTime(`the writing ${name}`, writeUntilKilled(history, server, client, random));
    }
    expect(history.acknowledgedCount).toBeGreaterThan(ROUNDS * 20);
    expect(history.revision).toBeGreaterThan(ROUNDS * 10);
  },
  30_000 + ROUNDS * 2000,
);
