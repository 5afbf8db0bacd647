import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';
import { freePort } from '../support/loopback.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { isRealBefore, REAL_ETCD } from '../support/real-programs.js';

const TEST_MILLIS = 60_000;
const PATIENCE_MILLIS = 20_000;
const POLL_MILLIS = 500;
const OURS: readonly [string, ...string[]] = [process.execPath, binaryPath('etcd')];

const running: RealEtcd[] = [];
afterEach(async () => {
  for (const etcd of running.splice(0).reverse()) await etcd.stop();
});

/** Members must have been connected for a while before another may come. */
async function untilHealthy(attempt: () => Buffer): Promise<string> {
  const end = performance.now() + PATIENCE_MILLIS;
  for (;;) {
    try {
      return attempt().toString();
    } catch (error) {
      if (!String(error).includes('unhealthy cluster') || performance.now() > end) throw error;
    }
    await sleep(POLL_MILLIS);
  }
}

/** Adds a member to the cluster of another. The last flag that is given twice counts. */
async function join(
  first: RealEtcd,
  name: string,
  program?: readonly [string, ...string[]],
): Promise<RealEtcd> {
  const ports = { client: await freePort(), peer: await freePort() };
  const url = `http://127.0.0.1:${ports.peer}`;
  const added = await untilHealthy(() => first.ctl(['member', 'add', name, `--peer-urls=${url}`]));
  const initial = /ETCD_INITIAL_CLUSTER="(.*)"/.exec(added)?.[1] ?? '';
  const joined = await startRealEtcd({
    ports,
    flags: [`--name=${name}`, `--initial-cluster=${initial}`, '--initial-cluster-state=existing'],
    ...(program === undefined ? {} : { program }),
  });
  running.push(joined);
  return joined;
}

describe.skipIf(!hasRealEtcd)('a member of ours', () => {
  it(
    'joins a real etcd and serves with it',
    async () => {
      const real = await startRealEtcd();
      running.push(real);
      real.ctl(['put', 'before', 'real']);
      const ours = await join(real, 'ours', OURS);
      expect(ours.ctl(['get', 'before', '--print-value-only']).toString()).toBe('real\n');
      ours.ctl(['put', 'after', 'ours']);
      expect(real.ctl(['get', 'after', '--print-value-only']).toString()).toBe('ours\n');
      const lease = /lease (\w+) granted/.exec(ours.ctl(['lease', 'grant', '600']).toString())?.[1];
      // The leader is the other one.
      expect(ours.ctl(['lease', 'keep-alive', '--once', lease ?? '']).toString()).toContain(
        'keepalived with TTL(600)',
      );
      expect(ours.ctl(['lease', 'timetolive', lease ?? '']).toString()).toMatch(
        /granted with TTL\(600s\), remaining\(5\d\ds\)/,
      );
      const members = real.ctl(['member', 'list']).toString().trim().split('\n').sort();
      expect(members).toHaveLength(2);
      expect(ours.ctl(['member', 'list']).toString().trim().split('\n').sort()).toEqual(members);
      expect(members.join()).toContain(`, started, ours, http://127.0.0.1:${ours.ports.peer}`);
    },
    TEST_MILLIS,
  );
});

describe.skipIf(!hasRealEtcd)('members of ours', () => {
  it(
    'join each other, one by one',
    async () => {
      const first = await startRealEtcd({ program: OURS });
      running.push(first);
      first.ctl(['put', 'key', 'value']);
      await join(first, 'second', OURS);
      const third = await join(first, 'third', OURS);
      expect(third.ctl(['get', 'key', '--print-value-only']).toString()).toBe('value\n');
      expect(
        third
          .ctl(['member', 'list'])
          .toString()
          .match(/, started, /g),
      ).toHaveLength(3);
    },
    TEST_MILLIS,
  );

  it.skipIf(!isRealBefore(5))(
    'turn away a 3.4, which can not serve what they have agreed on',
    async () => {
      const first = await startRealEtcd({ program: OURS });
      running.push(first);
      await expect(join(first, 'old', [REAL_ETCD, '--logger=zap'])).rejects.toThrow(
        'incompatible with current running cluster',
      );
    },
    TEST_MILLIS,
  );
});
