import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';
import { type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { isRealBefore, isRealSince, REAL_ETCDCTL } from '../support/real-programs.js';
import type { Difference } from './allowed-differences.js';
import type { Invocation } from './invocation.js';
import { Pool } from './pool.js';
import { level, type Outcome, type Program, World } from './world.js';

const REAL_PROGRAM: Program = {
  command: [REAL_ETCDCTL],
  environment: { ETCDCTL_API: '3' },
};

/** The ids of cluster and member follow from the address of the member: given, they are all equal. */
const SAME_IDS = [
  '--initial-advertise-peer-urls=http://127.0.0.1:2380',
  '--initial-cluster=real=http://127.0.0.1:2380',
];

/** The differences are told for 3.4, and there are none of 3.7, which we follow. */
export const isComparable: boolean = isRealBefore(5) || isRealSince(7);

export interface ServerPair {
  readonly real: RealEtcd;
  readonly ours: RealEtcd;
  stop(): Promise<void>;
}

/** Starts a real server and ours, with the same ids. */
export async function startServerPair(extraFlags: readonly string[] = []): Promise<ServerPair> {
  const flags = [...SAME_IDS, ...extraFlags];
  const program = [process.execPath, binaryPath('etcd')] as const;
  const [real, ours] = await Promise.all([
    startRealEtcd({ flags: [...flags, '--unsafe-no-fsync'] }),
    startRealEtcd({ flags, program }),
  ]);
  const stop = async (): Promise<void> => {
    await Promise.all([real.stop(), ours.stop()]);
  };
  return { real, ours, stop };
}

export interface Servers extends ServerPair {
  /** Another real one, for our etcdctl. */
  readonly second: RealEtcd;
}

/** Starts two real servers and ours, all with the same ids. */
export async function startServers(extraFlags: readonly string[] = []): Promise<Servers> {
  const flags = [...SAME_IDS, ...extraFlags, '--unsafe-no-fsync'];
  const [pair, second] = await Promise.all([startServerPair(extraFlags), startRealEtcd({ flags })]);
  const stop = async (): Promise<void> => {
    await Promise.all([pair.stop(), second.stop()]);
  };
  return { ...pair, second, stop };
}

export interface Worlds {
  /** Real etcdctl, real server. */
  readonly oracle: World;
  /** Real etcdctl, our server. */
  readonly server: World;
  /** Our etcdctl, real server. */
  readonly program: World;
  readonly all: readonly World[];
  close(): void;
}

export function openWorlds({ real, second, ours }: Servers): Worlds {
  const ourProgram: Program = {
    command: [process.execPath, binaryPath('etcdctl')],
    environment: {},
  };
  const oracle = new World(REAL_PROGRAM, real.endpoint);
  const server = new World(REAL_PROGRAM, ours.endpoint);
  const program = new World(ourProgram, second.endpoint);
  const all = [oracle, server, program];
  const close = (): void => {
    for (const world of all) world.close();
  };
  return { oracle, server, program, all, close };
}

/** Runs an invocation in all worlds and compares the outcomes with the oracle's. */
export async function compareInvocation(worlds: Worlds, invocation: Invocation): Promise<void> {
  const [oracle, server, program] = await Promise.all([
    worlds.oracle.run(invocation),
    worlds.server.run(invocation),
    worlds.program.run(invocation),
  ]);
  expectSame('our server', server, oracle, invocation.server);
  expectSame('our etcdctl', program, oracle, invocation.program);
}

function expectSame(
  subject: string,
  actual: Outcome,
  oracle: Outcome,
  allowed: readonly Difference[] = [],
): void {
  const differences = isRealBefore(5) ? allowed : allowed.filter(({ isOurOwn }) => isOurOwn);
  let expected = oracle;
  let comparable = actual;
  for (const difference of differences) {
    expected = difference.oracle?.(expected) ?? expected;
    comparable = difference.actual?.(comparable) ?? comparable;
  }
  expect(comparable, subject).toEqual(expected);
  if (differences.length > 0) {
    expect(actual, `${subject}: a difference is allowed that is none`).not.toEqual(oracle);
  }
}

/** As many invocations run at a time, each with servers of its own. */
const LANES = 2;

/** Tests for a table of invocations. */
export function describeInvocations(title: string, invocations: readonly Invocation[]): void {
  describe.skipIf(!isComparable)(title, () => {
    let servers: Servers[] = [];
    let worlds: Worlds[] = [];
    let lanes: Pool<Worlds>;

    beforeAll(async () => {
      servers = await Promise.all(Array.from({ length: LANES }, () => startServers()));
      worlds = servers.map(openWorlds);
      lanes = new Pool(worlds);
    });

    afterAll(async () => {
      for (const lane of worlds) lane.close();
      await Promise.all(servers.map((lane) => lane.stop()));
    });

    it.concurrent.each(invocations)('$name', async (invocation) => {
      await lanes.with(async (lane) => {
        await level(lane.all);
        await compareInvocation(lane, invocation);
      });
    });

    it('has a name of its own for every invocation', () => {
      const names = invocations.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    });
  });
}
