import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RaftInvariantError } from '../../src/raft/errors.js';
import { Inflights } from '../../src/raft/tracker/inflights.js';
import { Progress, ProgressState } from '../../src/raft/tracker/progress.js';

const NO_LIMIT = Number.POSITIVE_INFINITY;

describe('inflights', () => {
  it('are full by count', () => {
    const inflights = new Inflights(2, NO_LIMIT);
    inflights.add(1, 0);
    expect(inflights.full).toBe(false);
    inflights.add(2, 0);
    expect(inflights.full).toBe(true);
    expect(() => inflights.add(3, 0)).toThrow(RaftInvariantError);
    inflights.freeThrough(1);
    expect([inflights.count, inflights.full]).toEqual([1, false]);
  });

  it('are full by bytes, of which one message may cross the bound', () => {
    const inflights = new Inflights(10, 100);
    inflights.add(1, 99);
    expect(inflights.full).toBe(false);
    inflights.add(2, 500);
    expect(inflights.full).toBe(true);
    inflights.freeThrough(1);
    expect(inflights.full).toBe(true);
    inflights.freeThrough(2);
    expect([inflights.count, inflights.full]).toEqual([0, false]);
  });

  it('behave as a queue does', () => {
    const operations = fc.array(
      fc.oneof(
        fc.record({ add: fc.nat(50) }),
        fc.record({ free: fc.nat(60) }),
        fc.constant({ reset: true }),
      ),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(operations, fc.integer({ min: 1, max: 20 }), (sequence, capacity) => {
        const inflights = new Inflights(capacity, 200);
        let model: { index: number; bytes: number }[] = [];
        let index = 0;
        for (const operation of sequence) {
          if ('add' in operation) {
            if (inflights.full) continue;
            index++;
            inflights.add(index, operation.add);
            model.push({ index, bytes: operation.add });
          } else if ('free' in operation) {
            inflights.freeThrough(operation.free);
            model = model.filter((message) => message.index > operation.free);
          } else {
            inflights.reset();
            model = [];
          }
          const bytes = model.reduce((sum, message) => sum + message.bytes, 0);
          expect(inflights.count).toBe(model.length);
          expect(inflights.full).toBe(model.length === capacity || bytes >= 200);
        }
      }),
    );
  });
});

describe('progress', () => {
  const make = (match: number, next: number, capacity = 2): Progress =>
    new Progress(match, next, false, new Inflights(capacity, NO_LIMIT));

  it('probes with one append at a time', () => {
    const progress = make(0, 5);
    progress.sentEntries(0, 0);
    expect(progress.paused).toBe(false);
    progress.sentEntries(3, 10);
    expect([progress.paused, progress.next]).toEqual([true, 5]);
  });

  it('replicates until the window is full', () => {
    const progress = make(4, 5);
    progress.becomeReplicate();
    progress.sentEntries(3, 10);
    expect([progress.paused, progress.next]).toEqual([false, 8]);
    progress.sentEntries(1, 10);
    expect([progress.paused, progress.next]).toEqual([true, 9]);
    expect(`${progress}`).toBe('StateReplicate match=4 next=9 paused inactive inflight=2[full]');
  });

  it('sends nothing while a snapshot is on its way', () => {
    const progress = make(1, 2);
    progress.becomeSnapshot(10);
    expect([progress.paused, progress.next, progress.sentCommit]).toEqual([true, 11, 10]);
    expect(() => progress.sentEntries(1, 1)).toThrow(RaftInvariantError);
    progress.becomeProbe();
    expect([progress.next, progress.pendingSnapshot]).toEqual([11, 0]);
  });

  it('moves forward with acknowledgements only', () => {
    const progress = make(3, 5);
    progress.appendsPaused = true;
    expect(progress.maybeUpdate(3)).toBe(false);
    expect(progress.paused).toBe(true);
    expect(progress.maybeUpdate(4)).toBe(true);
    expect([progress.match, progress.next, progress.paused]).toEqual([4, 5, false]);
    expect(progress.maybeUpdate(9)).toBe(true);
    expect([progress.match, progress.next]).toEqual([9, 10]);
  });

  it('moves back for rejections that are not out of date', () => {
    const replicating = make(5, 10);
    replicating.state = ProgressState.Replicate;
    expect(replicating.maybeDecreaseTo(5, 5)).toBe(false);
    expect(replicating.maybeDecreaseTo(9, 9)).toBe(true);
    expect(replicating.next).toBe(6);
    const probing = make(0, 10);
    expect(probing.maybeDecreaseTo(8, 8)).toBe(false);
    expect(probing.maybeDecreaseTo(9, 2)).toBe(true);
    expect(probing.next).toBe(3);
    expect(probing.maybeDecreaseTo(2, 0)).toBe(true);
    expect(probing.next).toBe(1);
    expect(probing.maybeDecreaseTo(0, 0)).toBe(true);
    expect(probing.next).toBe(1);
  });

  it('tells when a commit index is worth sending', () => {
    const progress = make(5, 8);
    progress.sentCommit = 5;
    expect(progress.canBumpCommit(5)).toBe(false);
    expect(progress.canBumpCommit(6)).toBe(true);
    progress.sentCommit = 7;
    expect(progress.canBumpCommit(9)).toBe(false);
  });
});
