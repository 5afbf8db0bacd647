import http from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { listenOnLoopback } from '../../support/loopback.js';
import { type PeerMember, startPeerMember } from '../../support/peer-member.js';
import { until } from '../../support/until.js';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A member whose clock the test moves, and that probes a peer with the given answer. */
async function startProbing(
  answer: (clock: ManualClock) => string | undefined,
): Promise<{ member: PeerMember; clock: ManualClock; probes: () => number }> {
  const clock = new ManualClock();
  let probes = 0;
  const server = http.createServer((request, response) => {
    const isProbe = request.url === '/raft/probing';
    const body = isProbe ? answer(clock) : undefined;
    if (isProbe) probes++;
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  const port = await listenOnLoopback(server);
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const member = await startPeerMember({ id: 1n, clock });
  cleanups.push(() => member.stop());
  member.transport.addPeer(2n, [`http://127.0.0.1:${port}`]);
  member.transport.start();
  return { member, clock, probes: () => probes };
}

const at = (clock: ManualClock, skewMillis = 0): string =>
  JSON.stringify({ OK: true, Now: new Date(clock.wallMillis() + skewMillis).toISOString() });

/** Waits until probes are over. */
const probed = (member: PeerMember, count: number): Promise<void> =>
  until('the probes are over', () => lines(member, 'probed remote peer').length === count);

/** Lines of a text, in each of which there is a transport. */
function lines(member: PeerMember, text: string) {
  return member.logger.lines.filter(({ message }) => message === text);
}

describe('the prober', () => {
  it('asks every 4 s over both transports, and is content with a well peer', async () => {
    const { member, clock, probes } = await startProbing((now) => at(now));
    clock.advance(3999);
    expect(probes()).toBe(0);
    for (let round = 1; round <= 3; round++) {
      clock.advance(round === 1 ? 1 : 4000);
      await probed(member, 2 * round);
    }
    // The first look falls between the first and the second probe.
    expect(lines(member, 'prober detected unhealthy status')).toEqual([]);
    expect(lines(member, 'prober found high clock drift')).toEqual([]);
    expect(await member.metricsText()).toContain(
      'etcd_network_peer_round_trip_time_seconds_count{To="2"} 2',
    );
  });

  it('warns of a peer whose clock is more than 1 s away', async () => {
    const { member, clock } = await startProbing((now) => at(now, -1500));
    clock.advance(4000);
    await probed(member, 2);
    clock.advance(1000);
    const warnings = lines(member, 'prober found high clock drift');
    expect(warnings.map(({ fields }) => fields?.['clock-drift'])).toEqual(['-1.5s', '-1.5s']);
    expect(new Set(warnings.map(({ fields }) => fields?.['round-tripper-name']))).toEqual(
      new Set(['ROUND_TRIPPER_SNAPSHOT', 'ROUND_TRIPPER_RAFT_MESSAGE']),
    );
  });

  it.each([
    ['nothing', undefined],
    ['garbage', '{"OK":'],
    ['no time', '{"OK":true}'],
    ['that it is not well', '{"OK":false,"Now":"2024-01-01T00:00:00Z"}'],
  ])('warns every 5 s of a peer that answers %s', async (_, body) => {
    const { member, clock } = await startProbing(() => body);
    clock.advance(4000);
    await probed(member, 2);
    clock.advance(1000);
    expect(lines(member, 'prober detected unhealthy status')).toHaveLength(2);
    clock.advance(3000);
    await probed(member, 4);
    clock.advance(2000);
    expect(lines(member, 'prober detected unhealthy status')).toHaveLength(4);
  });
});
