import { describe, expect, it } from 'vitest';
import type { Counter } from '../../../src/base/metrics.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { etcdError, isEtcdError } from '../../../src/proto/errors.js';
import { READ_RETRY_MILLIS, ReadRounds } from '../../../src/server/raft-loop/read-rounds.js';
import { RecordingLogger } from '../../support/peer-member.js';

const TIMEOUT_MILLIS = 7000;

class Count implements Counter {
  value = 0;
  inc(amount = 1): void {
    this.value += amount;
  }
}

function setUp() {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const slowReads = new Count();
  const failedReads = new Count();
  const asked: Buffer[] = [];
  let id = 0n;
  const rounds = new ReadRounds({
    clock,
    ask: (context) => asked.push(context),
    nextId: () => ++id,
    timeoutMillis: TIMEOUT_MILLIS,
    logger,
    metrics: { slowReads, failedReads },
  });
  return { clock, logger, slowReads, failedReads, asked, rounds };
}

describe('rounds of linearizable reads', () => {
  it('ask again while there is no answer, and take the answer to any question', async () => {
    const { clock, logger, asked, rounds, slowReads } = setUp();
    const read = rounds.wait();
    rounds.begin();
    clock.advance(READ_RETRY_MILLIS);
    expect(asked).toHaveLength(2);
    expect(logger.lines).toEqual([
      {
        message: 'waiting for ReadIndex response took too long, retrying',
        fields: { 'sent-request-id': 1n, 'retry-timeout': '500ms' },
      },
    ]);
    const [first, second] = asked as [Buffer, Buffer];
    rounds.answer({ index: 9, context: first });
    expect(await read).toBe(9);
    expect(slowReads.value).toBe(0);
    // Too late, and for nobody.
    rounds.answer({ index: 10, context: second });
    expect(slowReads.value).toBe(1);
  });

  it('give up in the end', async () => {
    const { clock, logger, rounds, slowReads, failedReads } = setUp();
    const read = rounds.wait().catch((error: unknown) => error);
    rounds.begin();
    clock.advance(TIMEOUT_MILLIS);
    expect(isEtcdError(await read, 'Timeout')).toBe(true);
    expect(slowReads.value).toBe(1);
    expect(failedReads.value).toBe(0);
    expect(
      logger.has('timed out waiting for read index response (local node might have slow network)'),
    ).toBe(true);
  });

  it('fail when the leader changes, and count it once', async () => {
    const { rounds, slowReads, failedReads } = setUp();
    rounds.failRound(etcdError('LeaderChanged'));
    expect(failedReads.value).toBe(0);
    const reads = [rounds.wait(), rounds.wait()].map((read) => read.catch((error) => error));
    rounds.begin();
    rounds.failRound(etcdError('LeaderChanged'));
    for (const read of reads) expect(isEtcdError(await read, 'LeaderChanged')).toBe(true);
    expect(failedReads.value).toBe(1);
    expect(slowReads.value).toBe(0);
  });
});
