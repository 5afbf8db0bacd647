import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { PAGE_SIZE } from '../../../src/platform/memory-file.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { type AuditOutput, AuditQueue } from '../../../src/server/audit/audit-queue.js';
import { RotatingFile } from '../../../src/server/logging/rotating-file.js';
import { MetricRegistry } from '../../../src/server/metrics/registry.js';
import { auditMetrics } from '../../../src/server/metrics/service-metrics.js';

const TIMEOUT_MILLIS = 7000;
const PATH = '/audit.log';

/** An output whose writes end when the test says so. */
class SlowOutput implements AuditOutput {
  readonly written: string[] = [];
  readonly #pending: (() => void)[] = [];

  append(lines: readonly string[], from: number): Promise<number> {
    return new Promise((resolve) => {
      this.#pending.push(() => {
        this.written.push(...lines.slice(from));
        resolve(lines.length);
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
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function newQueue(output: AuditOutput, maxQueuedCharacters = 100) {
  const clock = new ManualClock();
  const metrics = auditMetrics(new MetricRegistry());
  const queue = new AuditQueue({
    output,
    clock,
    logger: silentLogger,
    metrics,
    timeoutMillis: TIMEOUT_MILLIS,
    maxQueuedCharacters,
  });
  const count = (name: keyof typeof metrics): number => metrics[name].samples({})[0]?.value ?? -1;
  return { clock, queue, count };
}

const line = (number: number): string => `${String(number).padStart(49, '0')}\n`;

describe('a slow disk', () => {
  it('makes requests wait, in order, until there is room again', async () => {
    const output = new SlowOutput();
    const { clock, queue, count } = newQueue(output);
    queue.write(line(1));
    expect(queue.hasRoom).toBe(true);
    queue.write(line(2));
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
    await output.proceed();
    expect(begun).toEqual(['a', 'b']);
    expect(output.written).toEqual([line(1), line(2)]);
    expect([count('waits'), count('refusals'), count('queuedCharacters')]).toEqual([2, 0, 0]);
  });

  it('refuses requests that waited too long', async () => {
    const { clock, queue, count } = newQueue(new SlowOutput());
    queue.write(line(1) + line(2));
    const refused: string[] = [];
    queue.admit(
      () => expect.unreachable(),
      ({ message }) => refused.push(message),
    );
    clock.advance(TIMEOUT_MILLIS);
    expect(refused).toEqual(['etcdkit: the audit log cannot be written']);
    expect(count('refusals')).toBe(1);
  });

  it('writes lines that come one by one together', async () => {
    const output = new SlowOutput();
    const { clock, queue } = newQueue(output, 1000);
    for (const number of [1, 2, 3]) {
      queue.write(line(number));
      await settled();
    }
    clock.advance(10);
    await output.proceed();
    expect(output.written).toEqual([line(1), line(2), line(3)]);
  });
});

async function openFile(fs: MemoryFs, maxSizeMegabytes = 0): Promise<RotatingFile> {
  const rotation = {
    maxSizeMegabytes,
    maxAgeDays: 0,
    maxBackups: 0,
    localTime: false,
    compress: false,
  };
  return RotatingFile.open({
    fs,
    clock: new ManualClock(),
    path: PATH,
    rotation: maxSizeMegabytes > 0 ? rotation : undefined,
    mode: 0o600,
    logger: silentLogger,
  });
}

async function contentOf(fs: MemoryFs, path: string): Promise<string> {
  const file = await fs.open(path, { read: true });
  return (await file.read(0, await file.size())).toString();
}

/** A line that takes all the space that the pretended disk gives at a time. */
const page = (number: number): string => `${String(number).padStart(PAGE_SIZE - 1, '0')}\n`;

describe('a full disk', () => {
  it('loses and repeats no line: writing goes on when there is room', async () => {
    const fs = new MemoryFs();
    const { clock, queue, count } = newQueue(await openFile(fs), 1000);
    queue.write(page(1));
    clock.advance(10);
    await settled();
    fs.limitSpace(PAGE_SIZE);
    for (const number of [2, 3, 4]) queue.write(page(number));
    clock.advance(10);
    await settled();
    expect(count('writeFailures')).toBe(1);
    expect(await contentOf(fs, PATH)).toBe(page(1));
    fs.limitSpace(10 * PAGE_SIZE);
    clock.advance(1000);
    await settled();
    expect(await contentOf(fs, PATH)).toBe([1, 2, 3, 4].map(page).join(''));
    expect([count('lines'), count('lostLines')]).toEqual([4, 0]);
  });

  it('counts the lines that are lost when the server stops', async () => {
    const fs = new MemoryFs();
    const { queue, count } = newQueue(await openFile(fs), 1000);
    fs.limitSpace(0);
    queue.write(line(1));
    queue.write(line(2));
    await queue.close();
    queue.write(line(3));
    expect(count('lostLines')).toBe(3);
  });
});

describe('rotation', () => {
  it('loses no line and splits none', async () => {
    const fs = new MemoryFs();
    const { clock, queue } = newQueue(await openFile(fs, 1), 1e9);
    const total = 60_000;
    for (let number = 0; number < total; number++) {
      queue.write(line(number));
      if (number % 10_000 === 0) {
        clock.advance(10);
        await settled();
      }
    }
    await queue.close();
    const names = (await fs.readDirectory('/')).filter((name) => name.startsWith('audit'));
    expect(names.length).toBeGreaterThan(2);
    // Names of old files are in the order of their times, and come before that of the present one.
    const contents = await Promise.all(names.map((name) => contentOf(fs, `/${name}`)));
    for (const content of contents) expect(content.length).toBeLessThanOrEqual(1024 * 1024);
    expect(contents.join('') === Array.from({ length: total }, (_, n) => line(n)).join('')).toBe(
      true,
    );
  });
});

it('ends a line that a crash left half written', async () => {
  const fs = new MemoryFs();
  const before = await openFile(fs);
  await before.append(['whole\nhal'], 0);
  const after = await openFile(fs);
  await after.finishLine();
  await after.finishLine();
  await after.append(['next\n'], 0);
  expect(await contentOf(fs, PATH)).toBe('whole\nhal\nnext\n');
});
