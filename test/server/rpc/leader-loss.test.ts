import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { isEtcdError } from '../../../src/proto/errors.js';
import { requiresLeader } from '../../../src/server/rpc/checks.js';
import { LeaderLoss } from '../../../src/server/rpc/leader-loss.js';
import { OpenStreams } from '../../../src/server/rpc/open-streams.js';
import type { RpcMethod, ServerStream } from '../../../src/server/rpc/transport.js';

const ELECTION_MILLIS = 1000;

/** A stream that remembers what it ended with, and closes as a transport would. */
class FakeStream implements ServerStream {
  readonly context;
  readonly endings: unknown[] = [];
  readonly #closeListeners: (() => void)[] = [];

  constructor(hasLeader: string | undefined) {
    this.context = {
      method: '/test/Stream',
      metadata: { get: (name: string) => (name === 'hasleader' ? hasLeader : undefined) },
      peer: 'test',
      deadlineMillis: undefined,
      signal: new AbortController().signal,
    };
  }

  onMessage(): void {}
  onHalfClose(): void {}
  onDrain(): void {}

  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  send(): boolean {
    return true;
  }

  end(error?: unknown): void {
    this.endings.push(error);
    this.close();
  }

  close(): void {
    for (const listener of this.#closeListeners) listener();
  }
}

function setUp() {
  const clock = new ManualClock();
  const member = { hasLeader: true };
  const streams = new OpenStreams(requiresLeader);
  const method: RpcMethod = { path: '/test/Stream', kind: 'bidiStream', handle: () => {} };
  const [tracked] = streams.track([method]);
  const open = (hasLeader: string | undefined): FakeStream => {
    const stream = new FakeStream(hasLeader);
    if (tracked?.kind === 'bidiStream') tracked.handle(stream);
    return stream;
  };
  const loss = new LeaderLoss({
    clock,
    intervalMillis: ELECTION_MILLIS,
    hasLeader: () => member.hasLeader,
    streams,
  });
  loss.start();
  return { clock, member, open, loss };
}

describe('streams that demand a leader', () => {
  it('end at the third look in a row without one', () => {
    const { clock, member, open } = setUp();
    const demanding = open('true');
    const others = [open(undefined), open('True'), open('')];
    member.hasLeader = false;
    clock.advance(2 * ELECTION_MILLIS);
    expect(demanding.endings).toEqual([]);
    clock.advance(ELECTION_MILLIS);
    expect(demanding.endings.map((error) => isEtcdError(error, 'NoLeader'))).toEqual([true]);
    for (const { endings } of others) expect(endings).toEqual([]);
    clock.advance(5 * ELECTION_MILLIS);
    expect(demanding.endings.length).toBe(1);
  });

  it('outlive an election', () => {
    const { clock, member, open } = setUp();
    const stream = open('true');
    for (let election = 0; election < 3; election++) {
      member.hasLeader = false;
      clock.advance(2 * ELECTION_MILLIS);
      member.hasLeader = true;
      clock.advance(ELECTION_MILLIS);
    }
    expect(stream.endings).toEqual([]);
  });

  it('are left alone once they have closed, or when the watch over them has stopped', () => {
    const { clock, member, open, loss } = setUp();
    const closed = open('true');
    closed.close();
    member.hasLeader = false;
    clock.advance(3 * ELECTION_MILLIS);
    expect(closed.endings).toEqual([]);
    loss.stop();
    const late = open('true');
    clock.advance(3 * ELECTION_MILLIS);
    expect(late.endings).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
