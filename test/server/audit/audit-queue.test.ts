import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { PAGE_SIZE } from '../../../src/platform/memory-file.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { GrpcCode } from '../../../src/proto/errors.js';
import { openAuditFile } from '../../../src/server/audit/audit-file.js';
import { AuditQueue } from '../../../src/server/audit/audit-queue.js';
import { type AuditOutput, LineWriter } from '../../../src/server/audit/line-writer.js';
import { CHUNK_BYTES, recordBytes } from '../../../src/server/audit/record-chunk.js';
import { MetricRegistry } from '../../../src/server/metrics/registry.js';
import { auditMetrics } from '../../../src/server/metrics/service-metrics.js';

const TIMEOUT_MILLIS = 7000;
const PATH = '/audit.log';
const CALLER = Buffer.from(',"user":"u"');
const PADDING = 80;
/** Room for one record of the usual size, but not for two. */
const SMALL_LIMIT = 200;
const LARGE_LIMIT = 1e9;

/** An output whose writes end when the test says so. */
class SlowOutput implements AuditOutput {
  written = '';
  readonly #pending: (() => void)[] = [];

  append(text: Buffer): Promise<number> {
    const copy = text.toString();
    return new Promise((resolve) => {
      this.#pending.push(() => {
        this.written += copy;
        resolve(text.length);
      });
    });
  }

  async close(): Promise<void> {}

  /** Lets the write in progress succeed. */
  async proceed(): Promise<void> {
    await settled();
    this.#pending.shift()?.();
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}

function newQueue(output: AuditOutput, maxQueuedBytes = SMALL_LIMIT) {
  const clock = new ManualClock();
  const metrics = auditMetrics(new MetricRegistry());
  const queue = new AuditQueue({
    sink: new LineWriter(output),
    clock,
    logger: silentLogger,
    metrics,
    timeoutMillis: TIMEOUT_MILLIS,
    maxQueuedBytes,
  });
  const count = (name: keyof typeof metrics): number => metrics[name].samples({})[0]?.value ?? -1;
  const add = (number: number, padding = PADDING): void => {
    const members = `,"n":${number},"padding":"${'.'.repeat(padding)}"`;
    const now = clock.monotonicMillis();
    queue
      .room(recordBytes(CALLER, members.length))
      ?.addMembers(0, GrpcCode.OK, now, now, CALLER, members, members.length);
  };
  return { clock, queue, count, add };
}

/** The numbers of whole lines. */
function numbersOf(text: string): number[] {
  expect(text === '' || text.endsWith('\n')).toBe(true);
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { n: number }).n);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

describe('a slow disk', () => {
  it('makes requests wait, in order, until there is room again', async () => {
    const output = new SlowOutput();
    const { clock, queue, count, add } = newQueue(output);
    add(1);
    expect(queue.hasRoom).toBe(true);
    add(2);
    expect(queue.hasRoom).toBe(false);
    const begun: string[] = [];
    for (const name of ['a', 'b'])
      queue.admit(
        () => begun.push(name),
        () => expect.unreachable(),
      );
    clock.advance(10);
    await settled();
    expect(begun).toEqual([]);
    expect(count('queuedBytes')).toBeGreaterThan(SMALL_LIMIT);
    await output.proceed();
    expect(begun).toEqual(['a', 'b']);
    expect(numbersOf(output.written)).toEqual([1, 2]);
    expect([count('waits'), count('refusals'), count('queuedBytes')]).toEqual([2, 0, 0]);
  });

  it('refuses requests that waited too long', async () => {
    const { clock, queue, count, add } = newQueue(new SlowOutput());
    add(1);
    add(2);
    const refused: string[] = [];
    queue.admit(
      () => expect.unreachable(),
      ({ message }) => refused.push(message),
    );
    clock.advance(TIMEOUT_MILLIS);
    expect(refused).toEqual(['etcdkit: the audit log cannot be written']);
    expect(count('refusals')).toBe(1);
  });

  it('refuses what still waits when the server stops', async () => {
    const output = new SlowOutput();
    const { queue, add } = newQueue(output);
    add(1);
    add(2);
    const refused: string[] = [];
    queue.admit(
      () => expect.unreachable(),
      ({ message }) => refused.push(message),
    );
    const closed = queue.close();
    expect(refused).toEqual(['etcdserver: server stopped']);
    await output.proceed();
    await closed;
    expect(numbersOf(output.written)).toEqual([1, 2]);
  });

  it('writes lines that come one by one together', async () => {
    const output = new SlowOutput();
    const { clock, add } = newQueue(output, LARGE_LIMIT);
    for (const number of [1, 2, 3]) {
      add(number);
      await settled();
    }
    clock.advance(10);
    await output.proceed();
    expect(numbersOf(output.written)).toEqual([1, 2, 3]);
  });

  it('uses the memory of what is written again', async () => {
    const output = new SlowOutput();
    const { queue, add } = newQueue(output, LARGE_LIMIT);
    const used = new Set();
    for (const number of upTo(40)) {
      add(number, CHUNK_BYTES / 4);
      used.add(queue.room(0));
      await output.proceed();
    }
    expect(used.size).toBe(2);
  });

  it('keeps the order of what comes while it writes, however large', async () => {
    const output = new SlowOutput();
    const { clock, queue, count, add } = newQueue(output, LARGE_LIMIT);
    const sizes = [10, CHUNK_BYTES / 2, CHUNK_BYTES, 3 * CHUNK_BYTES, 10];
    for (const number of upTo(50)) {
      add(number, sizes[number % sizes.length]);
      if (number % 7 === 0) clock.advance(10);
      if (number % 11 === 0) await output.proceed();
    }
    const closed = queue.close();
    let done = false;
    closed.then(
      () => {
        done = true;
      },
      () => expect.unreachable(),
    );
    while (!done) await output.proceed();
    expect(numbersOf(output.written)).toEqual(upTo(50));
    expect([count('lines'), count('queuedBytes')]).toEqual([50, 0]);
  });
});

function openFile(fs: MemoryFs, maxSizeMegabytes = 0): Promise<AuditOutput> {
  const rotation = {
    maxSizeMegabytes,
    maxAgeDays: 0,
    maxBackups: 0,
    localTime: false,
    compress: false,
  };
  return openAuditFile({
    fs,
    clock: new ManualClock(),
    path: PATH,
    rotation: maxSizeMegabytes > 0 ? rotation : undefined,
    logger: silentLogger,
  });
}

async function contentOf(fs: MemoryFs, path: string): Promise<string> {
  const file = await fs.open(path, { read: true });
  return (await file.read(0, await file.size())).toString();
}

describe('a full disk', () => {
  it('loses and repeats no line: writing goes on when there is room', async () => {
    const fs = new MemoryFs();
    const { clock, add, count } = newQueue(await openFile(fs), LARGE_LIMIT);
    add(1, PAGE_SIZE);
    clock.advance(10);
    await settled();
    fs.limitSpace(PAGE_SIZE);
    for (const number of [2, 3, 4]) add(number, PAGE_SIZE);
    clock.advance(10);
    await settled();
    expect(count('writeFailures')).toBe(1);
    expect(numbersOf(await contentOf(fs, PATH))).toEqual([1]);
    fs.limitSpace(10 * PAGE_SIZE);
    clock.advance(1000);
    await settled();
    expect(numbersOf(await contentOf(fs, PATH))).toEqual([1, 2, 3, 4]);
    expect([count('lines'), count('lostLines')]).toEqual([4, 0]);
  });

  it('goes on in the midst of what was handed over', async () => {
    let written = '';
    let attempts = 0;
    const output: AuditOutput = {
      async append(text) {
        attempts += 1;
        if (attempts % 2 === 0) throw new Error('not now');
        // Two lines at a time.
        const end = text.indexOf('\n', text.indexOf('\n') + 1) + 1 || text.length;
        written += text.toString('utf8', 0, end);
        return end;
      },
      async close() {},
    };
    const { clock, add, count } = newQueue(output, LARGE_LIMIT);
    for (const number of upTo(7)) add(number, CHUNK_BYTES / 3);
    clock.advance(10);
    for (let attempt = 0; attempt < 10; attempt++) {
      await settled();
      clock.advance(1000);
    }
    expect(numbersOf(written)).toEqual(upTo(7));
    expect([count('lines'), count('lostLines')]).toEqual([7, 0]);
    expect(count('writeFailures')).toBeGreaterThan(2);
  });

  it('counts the lines that are lost when the server stops', async () => {
    const fs = new MemoryFs();
    const { queue, add, count } = newQueue(await openFile(fs), LARGE_LIMIT);
    fs.limitSpace(0);
    add(1);
    add(2);
    await queue.close();
    add(3);
    expect(count('lostLines')).toBe(3);
  });
});

describe('rotation', () => {
  it('loses no line and splits none', async () => {
    const fs = new MemoryFs();
    const { clock, queue, add } = newQueue(await openFile(fs, 1), LARGE_LIMIT);
    const total = 20_000;
    for (const number of upTo(total)) {
      add(number);
      if (number % 3000 === 0) {
        clock.advance(10);
        await settled();
      }
    }
    await queue.close();
    const names = (await fs.readDirectory('/')).filter((name) => name.startsWith('audit'));
    expect(names.length).toBeGreaterThan(2);
    // Names of old files are in the order of their times, and come before that of the present one.
    const contents = await Promise.all(names.map((name) => contentOf(fs, `/${name}`)));
    for (const content of contents) {
      expect(content.length).toBeLessThanOrEqual(1024 * 1024);
      numbersOf(content);
    }
    const numbers = numbersOf(contents.join(''));
    expect(numbers.length).toBe(total);
    expect(numbers.every((number, position) => number === position)).toBe(true);
  });

  it('gives a line that is larger than a file one of its own', async () => {
    const fs = new MemoryFs();
    const { queue, add } = newQueue(await openFile(fs, 1), LARGE_LIMIT);
    add(0);
    add(1, 2 * 1024 * 1024);
    add(2);
    await queue.close();
    const names = (await fs.readDirectory('/')).filter((name) => name.startsWith('audit'));
    const contents = await Promise.all(names.map((name) => contentOf(fs, `/${name}`)));
    expect(contents.map(numbersOf)).toEqual([[0], [1], [2]]);
  });
});

it('ends a line that a crash left half written', async () => {
  const fs = new MemoryFs();
  const before = await openFile(fs);
  await before.append(Buffer.from('whole\nhal'));
  await openFile(fs);
  const after = await openFile(fs);
  await after.append(Buffer.from('next\n'));
  expect(await contentOf(fs, PATH)).toBe('whole\nhal\nnext\n');
});
