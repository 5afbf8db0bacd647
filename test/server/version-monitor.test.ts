import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/platform/manual-clock.js';
import { etcdError } from '../../src/proto/errors.js';
import { decodeInternalRaftRequest } from '../../src/proto/hot/internal-request.js';
import { UNKNOWN_MEMBERS_MILLIS, VersionMonitor } from '../../src/server/version-monitor.js';
import { lonelyCalls } from '../support/lonely-peers.js';
import { RecordingLogger } from '../support/peer-member.js';
import { clusterOf, member } from './membership/support.js';

const ROUND_MILLIS = 4000;
const TICK_MILLIS = 100;

/** The first of three members, which leads; what it proposes is applied at once. */
function setUp() {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const { cluster } = clusterOf([member(1n), member(2n), member(3n)]);
  /** Undefined: it does not answer. */
  const releases = new Map<string, string | undefined>();
  const entries: Buffer[] = [];
  const firstCommits = new Set<() => void>();
  const local = {
    clock,
    cluster,
    isLeader: true,
    calls: {
      ...lonelyCalls,
      version: async ([url = '']: readonly string[]) => {
        const server = releases.get(url);
        if (server === undefined) throw new Error('no answer');
        return { server, cluster: '', storage: '' };
      },
    },
    onFirstCommit: (listener: () => void) => {
      firstCommits.add(listener);
      return () => firstCommits.delete(listener);
    },
    proposeEntry: async (request: unknown, encode: (id: bigint) => Buffer) => {
      entries.push(encode(7n));
      cluster.setVersion((request as { ver: string }).ver);
      return undefined as never;
    },
    propose: async (_kind: string, request: unknown) => {
      const { enabled, ver } = request as { enabled: boolean; ver: string };
      cluster.setDowngrade(enabled ? ver : undefined);
      return undefined as never;
    },
  };
  const monitor = new VersionMonitor({ member: local, logger, downgradeCheckMillis: 5000 });
  /** Lets time pass, with all that happens in it. */
  const pass = async (millis: number): Promise<void> => {
    for (let passed = 0; passed < millis; passed += TICK_MILLIS) {
      await nextTurn();
      clock.advance(TICK_MILLIS);
    }
    await nextTurn();
  };
  const answer = (second: string | undefined, third: string | undefined): void => {
    releases.set('http://2', second);
    releases.set('http://3', third);
  };
  return { clock, logger, cluster, entries, firstCommits, local, monitor, pass, answer };
}

describe('the version monitor', () => {
  it('waits for a member that is not known, and then writes what it can read', async () => {
    const { monitor, answer, pass, cluster, entries } = setUp();
    answer('3.7.1', undefined);
    const form = monitor.entryForm();
    void monitor.update();
    await pass(UNKNOWN_MEMBERS_MILLIS / 2);
    expect(entries).toEqual([]);
    answer('3.7.0', '3.4.23');
    await pass(200);
    // Beside a 3.4 the other one is of ours.
    expect(await form).toBe('v2');
    expect(cluster.version).toBe('3.4.0');
  });

  it('goes on without it in the end, and raises the version when it is there', async () => {
    const { monitor, answer, pass, cluster, entries } = setUp();
    answer('3.7.1', undefined);
    monitor.start();
    await pass(ROUND_MILLIS + UNKNOWN_MEMBERS_MILLIS);
    await pass(200);
    expect(cluster.version).toBe('3.0.0');
    expect(decodeInternalRaftRequest(entries[0] ?? Buffer.alloc(0)).kind).toBe('clusterVersionSet');
    answer('3.7.1', '3.7.1');
    await pass(ROUND_MILLIS);
    expect(cluster.version).toBe('3.7.0');
    monitor.stop();
  });

  it('looks at once when it begins to lead, and never when it does not lead', async () => {
    const { monitor, answer, pass, cluster, firstCommits, local } = setUp();
    answer('3.6.1', '3.7.1');
    local.isLeader = false;
    monitor.start();
    await pass(3 * ROUND_MILLIS);
    expect(cluster.version).toBeUndefined();
    local.isLeader = true;
    for (const tell of firstCommits) tell();
    await pass(TICK_MILLIS);
    expect(cluster.version).toBe('3.6.0');
    monitor.stop();
    expect(firstCommits.size).toBe(0);
    answer('3.7.1', '3.7.1');
    await pass(3 * ROUND_MILLIS);
    expect(cluster.version).toBe('3.6.0');
  });

  it('has one round at a time', async () => {
    const { monitor, answer, entries } = setUp();
    answer('3.7.1', '3.7.1');
    const rounds = [monitor.update(), monitor.update()];
    expect(rounds[0]).toBe(rounds[1]);
    await Promise.all(rounds);
    expect(entries).toHaveLength(1);
  });

  it('tells of a downgrade that can not be, and of a failure, and goes on', async () => {
    const { monitor, answer, pass, cluster, local, logger } = setUp();
    answer('3.7.1', '3.7.1');
    await monitor.update();
    cluster.setDowngrade('3.4.0');
    await monitor.update();
    expect(logger.lines).toContainEqual({
      message: 'Failed to monitor cluster version',
      fields: { error: 'invalid downgrade target' },
    });
    cluster.setDowngrade('3.6.0');
    const { proposeEntry } = local;
    local.proposeEntry = () => Promise.reject(etcdError('Timeout'));
    monitor.start();
    await pass(ROUND_MILLIS);
    expect(logger.lines.at(-1)).toMatchObject({ message: 'Failed to monitor cluster version' });
    local.proposeEntry = proposeEntry;
    await pass(ROUND_MILLIS);
    expect(cluster.version).toBe('3.6.0');
    // This member is still of 3.7.
    expect(cluster.downgradeTarget).toBe('3.6.0');
    monitor.stop();
  });
});
