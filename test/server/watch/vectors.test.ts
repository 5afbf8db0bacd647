import { describe, expect, it } from 'vitest';
import { WATCH_STREAM_CAPACITY } from '../../../src/server/watch/watch-stream.js';
import type { MvccStore } from '../../../src/storage/mvcc/store.js';
import { del, put } from '../../storage/mvcc/support.js';
import { drain, openTestHub, watch } from './support.js';

const ignore = (): void => {};

function putTimes(store: MvccStore, count: number, key = 'foo'): void {
  for (let i = 0; i < count; i++) put(store, key, `v${i}`);
}

/** Events in a line of `drain`. */
const eventsIn = (line: string): number => line.match(/PUT|DELETE/g)?.length ?? 0;

/** Names are those of reference, semantics 13. */
describe('watch vectors', () => {
  it('W1: one response for each change', async () => {
    const { hub, store } = await openTestHub();
    const stream = hub.newStream(ignore);
    watch(stream, 'foo');
    expect(drain(stream)).toEqual(['created #0 r=1']);
    putTimes(store, 3);
    expect(drain(stream)).toEqual([
      '#0 r=2 PUT foo=v0@2',
      '#0 r=3 PUT foo=v1@3',
      '#0 r=4 PUT foo=v2@4',
    ]);
  });

  it('W2: a watcher from a future revision hears nothing before', async () => {
    const { hub, store } = await openTestHub();
    const stream = hub.newStream(ignore);
    watch(stream, 'foo', { startRevision: 10 });
    putTimes(store, 9);
    expect(drain(stream)).toEqual(['created #0 r=1', '#0 r=10 PUT foo=v8@10']);
  });

  it('W3: an empty range is refused, an endless one is not', async () => {
    const { hub, store } = await openTestHub();
    const stream = hub.newStream(ignore);
    watch(stream, 'a', { end: 'a' });
    watch(stream, 'b', { end: 'a' });
    watch(stream, 'foo', { end: '\0' });
    put(store, 'zoo', 'x');
    put(store, 'a', 'x');
    expect(drain(stream)).toEqual([
      'created canceled #-1 r=1 (mvcc: watcher range is empty)',
      'created canceled #-1 r=1 (mvcc: watcher range is empty)',
      'created #0 r=1',
      '#0 r=2 PUT zoo=x@2',
    ]);
  });

  it('W4: what was compacted ends a watcher; the compacted revision itself does not', async () => {
    const { hub, store, settle } = await openTestHub();
    putTimes(store, 10);
    await store.compact(5);
    const stream = hub.newStream(ignore);
    watch(stream, 'foo', { startRevision: 4 });
    settle();
    expect(drain(stream)).toEqual(['created #0 r=11', 'canceled #0 r=0 compacted=5']);
    watch(stream, 'foo', { startRevision: 5 });
    settle();
    const [created, caughtUp = '', ...others] = drain(stream);
    expect(created).toBe('created #1 r=11');
    expect(caughtUp).toMatch(/^#1 r=11 PUT foo=v3@5 .* PUT foo=v9@11$/);
    expect(eventsIn(caughtUp)).toBe(7);
    expect(others).toEqual([]);
    // The id of a watcher that a compaction ended stays taken until the client cancels it.
    stream.requestProgress();
    expect(drain(stream)).toEqual([]);
    stream.cancel(0n);
    stream.requestProgress();
    expect(drain(stream)).toEqual(['canceled #0 r=11', '#-1 r=11']);
  });

  it('W5: a deletion at the compacted revision is still seen', async () => {
    const { hub, store, settle } = await openTestHub();
    put(store, 'foo', 'x');
    del(store, 'foo');
    await store.compact(3);
    const stream = hub.newStream(ignore);
    watch(stream, 'foo', { startRevision: 3 });
    settle();
    expect(drain(stream)).toEqual(['created #0 r=3', '#0 r=3 DELETE foo@3']);
  });

  it('W6: catching up takes 1000 revisions at a time, and progress waits for its end', async () => {
    const { hub, store, settle } = await openTestHub();
    putTimes(store, 1001);
    const stream = hub.newStream(ignore);
    watch(stream, 'foo', { startRevision: 1 });
    stream.requestProgress();
    settle();
    const lines = drain(stream);
    settle();
    lines.push(...drain(stream));
    expect(lines.map(eventsIn)).toEqual([0, 1000, 1]);
    expect(lines[1]).toMatch(/^#0 r=1002 PUT foo=v0@2 .*@1001$/);
    expect(lines[2]).toBe('#0 r=1002 PUT foo=v1000@1002');
    stream.requestProgress();
    expect(drain(stream)).toEqual(['#-1 r=1002']);
  });

  it('W7: a revision is never split between responses', async () => {
    const { hub, store, settle } = await openTestHub({ catchUpRevisions: 4 });
    for (let i = 0; i < 12; i++) {
      const txn = store.write();
      for (const key of ['a', 'b', 'c']) txn.put(Buffer.from(key), Buffer.from(`${i}`), 0n);
      txn.end();
    }
    const stream = hub.newStream(ignore);
    watch(stream, 'a', { end: 'z', startRevision: 1 });
    settle();
    const [, ...responses] = drain(stream);
    const revisions = responses.map((line) => [
      ...new Set([...line.matchAll(/@(\d+)/g)].map(([, revision]) => Number(revision))),
    ]);
    expect(revisions).toEqual([
      [2, 3, 4, 5],
      [6, 7, 8, 9],
      [10, 11, 12, 13],
    ]);
    expect(responses.map(eventsIn)).toEqual([12, 12, 12]);
  });

  it('W8: the deletion of a range is one response, in the order of the keys', async () => {
    const { hub, store } = await openTestHub();
    for (const key of ['foo_2', 'foo_0', 'foo_1']) put(store, key, 'x');
    const stream = hub.newStream(ignore);
    watch(stream, 'foo', { end: 'foo_99' });
    del(store, 'foo', 'foo_99');
    expect(drain(stream)).toEqual([
      'created #0 r=4',
      '#0 r=5 DELETE foo_0@5 DELETE foo_1@5 DELETE foo_2@5',
    ]);
  });

  it('W9: ids are those asked for, or the next free ones', async () => {
    const { hub } = await openTestHub();
    const stream = hub.newStream(ignore);
    for (const id of [1n, 1n, 0n, 0n]) watch(stream, 'foo', { id });
    expect(drain(stream)).toEqual([
      'created #1 r=1',
      'created canceled #-1 r=1 (mvcc: duplicate watch ID provided on the WatchStream)',
      'created #0 r=1',
      'created #2 r=1',
    ]);
  });

  it('W10: filters drop events, and responses that would be empty', async () => {
    const { hub, store, settle } = await openTestHub();
    const stream = hub.newStream(ignore);
    watch(stream, 'foo', { excludesPuts: true });
    watch(stream, 'foo', { excludesDeletes: true });
    put(store, 'foo', 'x');
    del(store, 'foo');
    watch(stream, 'foo', { excludesPuts: true, excludesDeletes: true, startRevision: 1 });
    settle();
    expect(drain(stream)).toEqual([
      'created #0 r=1',
      'created #1 r=1',
      '#1 r=2 PUT foo=x@2',
      '#0 r=3 DELETE foo@3',
      'created #2 r=3',
    ]);
    stream.requestProgress();
    expect(drain(stream)).toEqual(['#-1 r=3']);
  });

  it('W11: previous values come with all but the first put, unless they were compacted', async () => {
    const { hub, store, settle } = await openTestHub();
    put(store, 'foo', 'bar1');
    const stream = hub.newStream(ignore);
    watch(stream, 'foo', { wantsPreviousValues: true });
    put(store, 'foo', 'bar2');
    del(store, 'foo');
    put(store, 'foo', 'bar3');
    expect(drain(stream)).toEqual([
      'created #0 r=2',
      '#0 r=3 PUT foo=bar2@3 was bar1',
      '#0 r=4 DELETE foo@4 was bar2',
      '#0 r=5 PUT foo=bar3@5',
    ]);
    await store.compact(3);
    watch(stream, 'foo', { wantsPreviousValues: true, startRevision: 3 });
    settle();
    expect(drain(stream)).toEqual([
      'created #1 r=5',
      '#1 r=5 PUT foo=bar2@3 DELETE foo@4 was bar2 PUT foo=bar3@5',
    ]);
  });

  it.each([
    [0, true, true],
    [1, false, true],
    [2, false, true],
    [3, false, false],
    [4, false, false],
  ])(
    'W12: progress of a watcher from %i: at once %s, when synced %s',
    async (start, now, later) => {
      const { hub, store, settle } = await openTestHub();
      put(store, 'foo', 'x');
      const stream = hub.newStream(ignore);
      watch(stream, 'other', { startRevision: start, wantsProgress: true });
      const progress = (): string[] => {
        stream.tickProgress();
        stream.requestProgress();
        return drain(stream);
      };
      const both = ['#0 r=2', '#-1 r=2'];
      expect(progress()).toEqual(['created #0 r=2', ...(now ? both : [])]);
      settle();
      expect(progress()).toEqual(later ? both : []);
    },
  );

  it('W13: after a new state from a snapshot, watchers go on from where they stood', async () => {
    const { hub, store, settle } = await openTestHub();
    const stream = hub.newStream(ignore);
    for (const startRevision of [0, 1, 2, 3, 4]) watch(stream, 'foo', { startRevision });
    put(store, 'foo', 'x');
    settle();
    hub.resyncAll();
    del(store, 'foo');
    settle();
    const byWatcher = new Map<string, string>();
    for (const line of drain(stream)) {
      const [, id = '', events = ''] = /^#(\d) r=\d (.*)$/.exec(line) ?? [];
      if (id !== '') byWatcher.set(id, [byWatcher.get(id) ?? '', events].join(' ').trim());
    }
    const all = 'PUT foo=x@2 DELETE foo@3';
    const expected = [
      ['0', all],
      ['1', all],
      ['2', all],
      ['3', 'DELETE foo@3'],
    ] as const;
    expect([...byWatcher].sort()).toEqual(expected);
  });

  it('W15: a cancelled watcher hears nothing more', async () => {
    const { hub, store } = await openTestHub();
    const stream = hub.newStream(ignore);
    watch(stream, 'foo');
    stream.cancel(0n);
    put(store, 'foo', 'x');
    stream.cancel(0n);
    stream.cancel(77n);
    expect(drain(stream)).toEqual(['created #0 r=1', 'canceled #0 r=1']);
  });

  it('W16: a slow reader meets a compaction, never a gap', async () => {
    const { hub, store, settle } = await openTestHub();
    const stream = hub.newStream(ignore);
    watch(stream, 'foo');
    putTimes(store, 2 * WATCH_STREAM_CAPACITY);
    settle();
    await store.compact(store.currentRevision);
    settle();
    const lines = drain(stream);
    settle();
    lines.push(...drain(stream));
    expect(lines).toEqual([
      'created #0 r=1',
      ...Array.from(
        { length: WATCH_STREAM_CAPACITY },
        (_, i) => `#0 r=${i + 2} PUT foo=v${i}@${i + 2}`,
      ),
      `canceled #0 r=0 compacted=${store.currentRevision}`,
    ]);
  });

  it('W17: an empty value is a put', async () => {
    const { hub, store } = await openTestHub();
    const stream = hub.newStream(ignore);
    watch(stream, 'foo');
    put(store, 'foo', '');
    expect(drain(stream)).toEqual(['created #0 r=1', '#0 r=2 PUT foo=@2']);
  });
});
