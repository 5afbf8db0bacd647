import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../../src/base/logger.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { etcdError } from '../../../src/proto/errors.js';
import { AutoCompactor } from '../../../src/server/compactor/auto-compactor.js';
import {
  PeriodicRetention,
  type Retention,
  RevisionRetention,
} from '../../../src/server/compactor/retention.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Line {
  readonly message: string;
  readonly fields: LogFields;
}

/** A compactor on a clock that moves tick by tick. */
class Bench {
  readonly clock = new ManualClock();
  readonly compacted: number[] = [];
  readonly lines: Line[] = [];
  revision = 0;
  paused = false;
  failure: Error | undefined;
  readonly compactor: AutoCompactor;
  readonly #tickMillis: number;

  constructor(retention: Retention) {
    this.#tickMillis = retention.tickMillis;
    const write = (message: string, fields: LogFields = {}): void => {
      this.lines.push({ message, fields });
    };
    const logger: Logger = { ...silentLogger, info: write, warn: write };
    this.compactor = new AutoCompactor({
      retention,
      clock: this.clock,
      logger,
      currentRevision: () => this.revision,
      isPaused: () => this.paused,
      compact: async (revision) => {
        this.compacted.push(revision);
        if (this.failure !== undefined) throw this.failure;
      },
    });
  }

  /** Lets ticks pass; each sample finds a revision one higher. */
  async ticks(count: number): Promise<void> {
    for (let tick = 0; tick < count; tick++) {
      this.revision++;
      await this.tick();
    }
  }

  /** One tick at the same revision. */
  async tick(): Promise<void> {
    this.clock.advance(this.#tickMillis);
    await nextTurn();
  }

  /** Starts with the first sample at revision 1. */
  start(): void {
    this.revision = 1;
    this.compactor.start();
  }
}

const periodic = (period: number): Bench => new Bench(new PeriodicRetention(period, 0));

describe('periodic compaction', () => {
  it('K1: keeps five minutes', async () => {
    const bench = periodic(5 * MINUTE);
    bench.start();
    await bench.ticks(9);
    expect(bench.clock.monotonicMillis()).toBe(9 * 30_000);
    expect(bench.compacted).toEqual([]);
    await bench.ticks(1);
    expect(bench.compacted).toEqual([1]);
    for (const expected of [10, 20, 30, 40, 50]) {
      const before = bench.compacted.length;
      await bench.ticks(9);
      expect(bench.compacted.length).toBe(before);
      await bench.ticks(1);
      expect(bench.compacted.slice(before)).toEqual([expected]);
    }
  });

  it('K2: keeps two hours, and compacts every hour', async () => {
    const bench = periodic(2 * HOUR);
    bench.start();
    await bench.ticks(19);
    expect(bench.clock.monotonicMillis()).toBe(19 * 6 * MINUTE);
    expect(bench.compacted).toEqual([]);
    await bench.ticks(1);
    expect(bench.compacted).toEqual([1]);
    await bench.ticks(30);
    expect(bench.compacted).toEqual([1, 10, 20, 30]);
  });

  it('K3: follows the revision while it is paused', async () => {
    const bench = periodic(HOUR);
    bench.paused = true;
    bench.start();
    await bench.ticks(33);
    expect(bench.compacted).toEqual([]);
    bench.paused = false;
    await bench.ticks(1);
    expect(bench.compacted).toEqual([24]);
  });

  it('tries again at the next tick after a failure, and says so as etcd does', async () => {
    const bench = periodic(5 * MINUTE);
    bench.failure = new Error('no quorum');
    bench.start();
    await bench.ticks(11);
    expect(bench.compacted).toEqual([1, 1]);
    bench.failure = undefined;
    await bench.ticks(10);
    expect(bench.compacted).toEqual([1, 1, 2]);
    const fields = { revision: 1, 'compact-period': '5m0s' };
    expect(bench.lines.slice(0, 2)).toEqual([
      { message: 'starting auto periodic compaction', fields },
      {
        message: 'failed auto periodic compaction',
        fields: { ...fields, 'retry-interval': '30s', error: 'no quorum' },
      },
    ]);
  });

  it('does nothing while the revision stands still', async () => {
    const bench = periodic(5 * MINUTE);
    bench.start();
    for (let tick = 0; tick < 40; tick++) await bench.tick();
    expect(bench.compacted).toEqual([1]);
  });
});

describe('compaction by revisions', () => {
  it('K4: keeps ten', async () => {
    const bench = new Bench(new RevisionRetention(10));
    bench.start();
    bench.revision = 10;
    await bench.tick();
    expect(bench.compacted).toEqual([]);
    bench.revision = 100;
    await bench.tick();
    expect(bench.clock.monotonicMillis()).toBe(10 * MINUTE);
    expect(bench.compacted).toEqual([90]);
    await bench.tick();
    expect(bench.compacted).toEqual([90]);
    bench.revision = 200;
    await bench.tick();
    expect(bench.compacted).toEqual([90, 190]);
    const fields = { revision: 190, 'revision-compaction-retention': 10 };
    expect(bench.lines.slice(-2)).toEqual([
      { message: 'starting auto revision compaction', fields },
      { message: 'completed auto revision compaction', fields: { ...fields, took: '0s' } },
    ]);
  });

  it('takes what is compacted already as done, and anything else as not', async () => {
    const bench = new Bench(new RevisionRetention(10));
    bench.start();
    bench.revision = 100;
    bench.failure = new Error('no quorum');
    await bench.tick();
    bench.failure = etcdError('Compacted');
    await bench.tick();
    await bench.tick();
    expect(bench.compacted).toEqual([90, 90]);
  });

  it('stays with the leader', async () => {
    const bench = new Bench(new RevisionRetention(10));
    bench.start();
    bench.revision = 100;
    bench.paused = true;
    await bench.tick();
    expect(bench.compacted).toEqual([]);
    bench.paused = false;
    await bench.tick();
    expect(bench.compacted).toEqual([90]);
    bench.compactor.stop();
    expect(bench.clock.pendingTimers).toBe(0);
  });
});
