import { describe, expect, it } from 'vitest';
import type { LogFields } from '../../../src/base/logger.js';
import { silentLogger } from '../../../src/base/logger.js';
import { silentGauge } from '../../../src/base/metrics.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { type FsOperation, MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { readWal, validSnapshots, verifyWal } from '../../../src/storage/wal/reader.js';
import { SEGMENT_BYTES, WalWriter } from '../../../src/storage/wal/writer.js';
import { tempDir } from '../../support/temp-dir.js';
import {
  createWriter,
  entries,
  entry,
  fileBytes,
  METADATA,
  readEntries,
  reopen,
  state,
  texts,
  VOTERS,
  WAL,
} from './support.js';

const FIRST = `${WAL}/0000000000000000-0000000000000000.wal`;

describe('WalWriter', () => {
  it('creates a log of one preallocated segment and refuses to create it again', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.sync();
    expect(await fs.readDirectory('/member')).toEqual(['wal']);
    expect(await fs.stat(WAL)).toMatchObject({ mode: 0o700 });
    expect(await fs.stat(FIRST)).toMatchObject({ size: 1 << 16, mode: 0o600 });
    await writer.close();
    expect(await fs.readDirectory(WAL)).toEqual(['0000000000000000-0000000000000000.wal']);
    await expect(createWriter(fs)).rejects.toMatchObject({ fault: 'file-exists' });
  });

  it('writes entries, then the state, and gives them back', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(1, 0), entries(1, 3));
    await writer.save(undefined, entries(4, 4));
    await writer.save({ term: 2, vote: 0n, commit: 4 }, []);
    await writer.close();
    const contents = await readWal(fs, WAL);
    expect(texts(contents.entries)).toEqual(texts(entries(1, 4)));
    expect(contents.hardState).toEqual({ term: 2, vote: 0n, commit: 4 });
    expect(contents.metadata.equals(METADATA)).toBe(true);
    expect(contents).toMatchObject({ snapshotFound: true, torn: undefined });
    expect(await verifyWal(fs, WAL)).toEqual({ hardState: contents.hardState });
  });

  it('overrides entries of the same index', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(1, 1), entries(1, 5));
    await writer.save(state(2, 1), [entry(3, 'new', 2)]);
    await writer.close();
    const { entries: found, tail } = await readWal(fs, WAL);
    expect(texts(found)).toEqual(['1/1 entry 1', '1/2 entry 2', '2/3 new']);
    expect(tail.lastIndex).toBe(3);
  });

  it('forgets the tail that an entry before the start snapshot replaced', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(3, 69), entries(1, 100, 3));
    await writer.save(state(5, 72), entries(70, 72, 5));
    await writer.saveSnapshot({ index: 72, term: 5, confState: VOTERS });
    await writer.close();
    const start = { index: 72, term: 5 };
    const contents = await readWal(fs, WAL, start);
    expect(contents.entries).toEqual([]);
    expect(contents.tail.lastIndex).toBe(72);
    expect(await readEntries(fs)).toHaveLength(72);
  });

  it('forgets the log that a snapshot of the leader replaced, and keeps that of an own one', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(3, 80), entries(1, 100, 3));
    await writer.saveSnapshot({ index: 80, term: 3, confState: VOTERS });
    await writer.saveSnapshot({ index: 90, term: 5, confState: VOTERS });
    await writer.save(state(5, 92), entries(91, 92, 5));
    await writer.close();
    const own = await readWal(fs, WAL, { index: 80, term: 3 });
    expect(own.entries.map(({ index }) => index)).toEqual([
      81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92,
    ]);
    const received = await readWal(fs, WAL, { index: 90, term: 5 });
    expect(received.entries.map(({ index, term }) => [index, term])).toEqual([
      [91, 5],
      [92, 5],
    ]);
  });

  it('does not bring back entries after a snapshot of the leader that nothing follows', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(3, 60), entries(1, 100, 3));
    await writer.saveSnapshot({ index: 80, term: 5, confState: VOTERS });
    await writer.save(state(5, 80), []);
    await writer.close();
    const { entries: found, tail } = await readWal(fs, WAL, { index: 80, term: 5 });
    expect(found).toEqual([]);
    expect(tail.lastIndex).toBe(80);
  });

  it('syncs for entries, term and vote, but not for a commit index', async () => {
    const operations: FsOperation[] = [];
    const fs = new MemoryFs({ pace: async (operation) => void operations.push(operation) });
    const writer = await createWriter(fs);
    const during = async (work: Promise<void>): Promise<FsOperation[]> => {
      operations.length = 0;
      await work;
      return operations.filter((operation) => operation === 'write' || operation === 'sync');
    };
    await writer.save(undefined, entries(1, 1));
    expect(await during(writer.save(state(1, 0), []))).toEqual(['write', 'sync']);
    expect(await during(writer.save(state(1, 1), []))).toEqual([]);
    expect(await during(writer.save(undefined, []))).toEqual([]);
    expect(await during(writer.save(state(1, 1, 9n), []))).toEqual(['write', 'sync']);
    expect(await during(writer.save(state(1, 1, 9n), entries(2, 100)))).toEqual(['write', 'sync']);
    expect(await during(writer.saveSnapshot({ index: 1, term: 1, confState: VOTERS }))).toEqual([
      'write',
      'sync',
    ]);
    await writer.save(state(1, 2, 9n), []);
    const survivor = fs.crash(seededRandom(1), 'lose');
    expect((await readWal(survivor, WAL)).hardState?.commit).toBe(1);
  });

  it('never waits for the disk if told so', async () => {
    const operations: FsOperation[] = [];
    const fs = new MemoryFs({ pace: async (operation) => void operations.push(operation) });
    const writer = await createWriter(fs, { unsafeNoFsync: true });
    operations.length = 0;
    for (let at = 1; at < 2000; at++) await writer.save(state(1, at), entries(at, at));
    await writer.close();
    expect(operations).not.toContain('sync');
    expect((await readWal(fs, WAL)).entries).toHaveLength(1999);
  });

  it('cuts segments that overlap in nothing and carry head and CRC', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs, { segmentBytes: 4096 });
    for (let at = 1; at <= 40; at++) {
      await writer.save(state(1, at - 1), [entry(at, Buffer.alloc(500, at))]);
    }
    await writer.close();
    const names = await fs.readDirectory(WAL);
    expect(names.length).toBeGreaterThan(4);
    expect(names.every((name) => name.endsWith('.wal'))).toBe(true);
    const first = await fileBytes(fs, FIRST);
    expect(first.length).toBeGreaterThanOrEqual(4096);
    expect(first.length).toBeLessThan(4096 + 600);
    expect((await readWal(fs, WAL)).entries).toHaveLength(40);
    const last = names.at(-1) ?? '';
    expect(await fs.stat(`${WAL}/${last}`)).toMatchObject({ size: 4096 });
    const index = Number.parseInt(last.slice(17, 33), 16);
    await expect(readWal(fs, WAL, { index: index - 1, term: 1 })).resolves.toMatchObject({
      snapshotFound: false,
      hardState: { term: 1 },
    });
    const missing = 'wal: snapshot not found';
    await expect(verifyWal(fs, WAL, { index: index - 1, term: 1 })).rejects.toThrow(missing);
    await expect(
      readWal(fs, WAL, { index: index - 1, term: 1 }, { requireSnapshot: true }),
    ).rejects.toThrow(missing);
  });

  it('goes on after a restart, cuts included, with an unbroken CRC chain', async () => {
    const fs = new MemoryFs();
    const first = await createWriter(fs, { segmentBytes: 4096 });
    await first.save(state(1, 0), entries(1, 20));
    await first.close();
    for (let round = 1; round <= 10; round++) {
      const { contents, writer } = await reopen(fs, { segmentBytes: 4096 });
      expect(contents.entries).toHaveLength(20 * round);
      expect(contents.torn).toBeUndefined();
      await writer.save(state(1, 20 * round), entries(20 * round + 1, 20 * round + 20));
      await writer.close();
    }
    expect(await readEntries(fs)).toEqual(texts(entries(1, 220)));
    expect(await fs.readDirectory(WAL)).toHaveLength(3);
  });

  it('uses left-over prepared segments only after emptying them', async () => {
    const fs = new MemoryFs();
    await (await createWriter(fs, { segmentBytes: 2048 })).close();
    for (const name of ['0.tmp', '1.tmp']) {
      const file = await fs.open(`${WAL}/${name}`, { write: true, create: true });
      await file.write([Buffer.alloc(3000, 0xff)], 0);
      await file.close();
    }
    const { writer } = await reopen(fs, { segmentBytes: 2048 });
    for (let at = 1; at <= 10; at++) await writer.save(state(1, 1), [entry(at, 'x'.repeat(900))]);
    await writer.close();
    expect((await readWal(fs, WAL)).entries).toHaveLength(10);
  });

  it('knows the newest snapshot, even if an older one was recorded after it', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(1, 5), entries(1, 5));
    await writer.saveSnapshot({ index: 20, term: 1, confState: VOTERS });
    await writer.save(state(1, 20), []);
    await writer.saveSnapshot({ index: 5, term: 1, confState: VOTERS });
    await writer.close();
    const snapshots = await validSnapshots(fs, WAL);
    expect(snapshots.map(({ index }) => index)).toEqual([0, 5, 20]);
    const { tail, hardState } = await readWal(fs, WAL, snapshots.at(-1));
    expect({ lastIndex: tail.lastIndex, commit: hardState?.commit }).toEqual({
      lastIndex: 20,
      commit: 20,
    });
  });

  it('records snapshots, which must name the membership', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(1, 5), entries(1, 6));
    await expect(
      writer.saveSnapshot({ index: 5, term: 1, confState: undefined }),
    ).rejects.toMatchObject({ fault: 'snapshot-without-conf-state' });
    await writer.saveSnapshot({ index: 5, term: 1, confState: VOTERS });
    await writer.saveSnapshot({ index: 6, term: 1, confState: VOTERS });
    await writer.close();
    expect(await validSnapshots(fs, WAL)).toEqual([
      { index: 0, term: 0, confState: undefined },
      { index: 5, term: 1, confState: VOTERS },
    ]);
    const after = await readWal(fs, WAL, { index: 5, term: 1 });
    expect(after.snapshotFound).toBe(true);
    expect(texts(after.entries)).toEqual(['1/6 entry 6']);
    await expect(readWal(fs, WAL, { index: 5, term: 2 })).rejects.toThrow('wal: snapshot mismatch');
  });

  it('rejects everything after the first failure', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(1, 0), entries(1, 1));
    fs.failNext({ operation: 'sync', code: 'EIO' });
    const failed = writer.save(undefined, entries(2, 2));
    const queued = writer.save(undefined, entries(3, 3));
    const failure = await failed.catch((error: unknown) => error);
    expect(failure).toMatchObject({ fault: 'write-failed', cause: { code: 'EIO' } });
    await expect(queued).rejects.toBe(failure);
    await expect(writer.save(undefined, entries(3, 3))).rejects.toBe(failure);
    await expect(writer.saveSnapshot({ index: 1, term: 1, confState: VOTERS })).rejects.toBe(
      failure,
    );
    await expect(writer.sync()).rejects.toBe(failure);
    await expect(writer.close()).rejects.toBe(failure);
    expect((await readEntries(fs)).slice(0, 1)).toEqual(['1/1 entry 1']);
  });

  it('keeps what was acknowledged when the disk fills up, and goes on when it has room', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs, { segmentBytes: 1 << 20 });
    fs.limitSpace(40_000);
    let acknowledged = 0;
    let failure: unknown;
    while (failure === undefined) {
      const next = acknowledged + 1;
      await writer.save(state(1, 0), [entry(next, Buffer.alloc(3000, next))]).then(
        () => acknowledged++,
        (error: unknown) => {
          failure = error;
        },
      );
    }
    expect(failure).toMatchObject({ fault: 'write-failed', cause: { code: 'ENOSPC' } });
    await expect(writer.close()).rejects.toBe(failure);
    fs.limitSpace(1 << 20);
    const { contents, writer: second } = await reopen(fs, { segmentBytes: 1 << 20 });
    expect(contents.entries).toHaveLength(acknowledged);
    await second.save(state(1, 0), [entry(acknowledged + 1)]);
    await second.close();
    expect(await readEntries(fs)).toHaveLength(acknowledged + 1);
  });

  it('says what went wrong when the last write fails', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs);
    await writer.save(state(1, 0), entries(1, 1));
    // A new commit index alone is not written before it must be.
    await writer.save(state(1, 1), []);
    fs.failNext({ operation: 'sync', code: 'EIO' });
    await expect(writer.close()).rejects.toMatchObject({
      fault: 'write-failed',
      cause: { code: 'EIO' },
    });
  });

  it('refuses to be used after it was closed', async () => {
    const writer = await createWriter(new MemoryFs());
    const closing = writer.close();
    await expect(writer.save(state(1, 0), entries(1, 1))).rejects.toMatchObject({
      fault: 'closed',
    });
    await closing;
    expect(writer.close()).toBe(closing);
  });

  it('holds the segments that replay needs', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs, { segmentBytes: 1 });
    for (let at = 1; at <= 5; at++) await writer.save(state(1, 0), entries(at, at));
    const sequences = (): number[] => writer.heldSegments.map((name) => Number(name.slice(0, 16)));
    expect(sequences()).toEqual([0, 1, 2, 3, 4, 5]);
    // The names carry the indexes 0, 2, 3, 4, 5, 6.
    writer.releaseTo(4);
    expect(sequences()).toEqual([2, 3, 4, 5]);
    writer.releaseTo(5);
    expect(sequences()).toEqual([3, 4, 5]);
    writer.releaseTo(1);
    expect(sequences()).toEqual([3, 4, 5]);
    writer.releaseTo(99);
    expect(sequences()).toEqual([5]);
    expect(writer.holds('0000000000000005-0000000000000006.wal')).toBe(true);
    expect(writer.holds('0000000000000004-0000000000000005.wal')).toBe(false);
    await writer.close();
  });

  it('measures durable writes and warns of slow ones', async () => {
    const clock = new ManualClock();
    const warnings: [string, LogFields | undefined][] = [];
    const observed: number[] = [];
    let written = 0;
    const fs = new MemoryFs({
      pace: async (operation) => void (operation === 'sync' && clock.advance(1500)),
    });
    const writer = await createWriter(fs, {
      clock,
      logger: { ...silentLogger, warn: (text, fields) => void warnings.push([text, fields]) },
      metrics: {
        syncSeconds: { observe: (seconds) => void observed.push(seconds) },
        writtenBytes: {
          ...silentGauge,
          inc(bytes = 1) {
            written += bytes;
          },
        },
      },
    });
    const before = (await readWal(fs, WAL)).tail.offset;
    await writer.save(state(1, 0), entries(1, 1));
    expect(observed).toEqual([1.5]);
    expect(warnings).toEqual([['slow fdatasync', { took: '1.5s', 'expected-duration': '1s' }]]);
    expect(written).toBe((await readWal(fs, WAL)).tail.offset - before);
    await writer.close();
  });

  it('works on a real disk at the real segment size', async () => {
    const directory = `${await tempDir()}/wal`;
    const options = { clock: nodeClock };
    const writer = await WalWriter.create(nodeFs, directory, METADATA, options);
    await writer.save(state(1, 0), entries(1, 100));
    await writer.close();
    const contents = await readWal(nodeFs, directory);
    expect(contents.tail.fileBytes).toBe(SEGMENT_BYTES);
    const second = await WalWriter.resume(nodeFs, directory, contents.tail, options);
    await second.save(state(1, 100), entries(101, 110));
    await second.close();
    expect((await readWal(nodeFs, directory)).entries).toHaveLength(110);
  });
});
