import type { Clock } from '../../src/platform/clock.js';
import { type CrashMode, type FsOperation, MemoryFs } from '../../src/platform/memory-fs.js';
import type { Random } from '../../src/platform/random.js';
import type { RowSource } from '../../src/storage/backend/backend.js';
import { MemoryBackend, MemoryDisk } from '../../src/storage/backend/memory.js';
import type { SimulatedProcess } from './process.js';

/** What the disk does; changed while it runs. */
export interface DiskConditions {
  /** Longest that an ordinary write or sync takes, ms. */
  operationMillis: number;
  /** Chance of a sync to take up to {@link stallMillis}. */
  stallRate: number;
  stallMillis: number;
}

export const GOOD_DISK: Readonly<DiskConditions> = {
  operationMillis: 0.5,
  stallRate: 0,
  stallMillis: 0,
};

/** What takes time on a disk. Looking things up does not. */
const SLOW_OPERATIONS: ReadonlySet<FsOperation> = new Set([
  'write',
  'sync',
  'syncDirectory',
  'rename',
  'remove',
]);

/** What can fail; syncs more often than all else. */
const FAILING: readonly FsOperation[] = [
  'sync',
  'sync',
  'sync',
  'write',
  'syncDirectory',
  'open',
  'read',
  'rename',
  'truncate',
  'remove',
];
/** Operations that pass before one fails, at most. */
const MOST_SKIPPED = 20;

type Tables = Parameters<MemoryDisk['store']>[0];

interface Commit {
  readonly tables: Tables;
  readonly liveBytes: number;
  readonly allocatedBytes: number;
}

/**
 * A backend's disk whose commits take time: what the backend believes to be on the way is lost at a
 * crash. Commits become durable in their order.
 */
class SlowMemoryDisk extends MemoryDisk {
  readonly #durable: MemoryDisk;
  readonly #pace: () => Promise<void>;
  #waiting: Commit | undefined;
  #flushing: Promise<void> | undefined;

  constructor(durable: MemoryDisk, pace: () => Promise<void>) {
    super();
    this.#durable = durable;
    this.#pace = pace;
    const { tables, liveBytes, allocatedBytes } = durable.load();
    super.store(tables, liveBytes, allocatedBytes);
  }

  override store(tables: Tables, liveBytes: number, allocatedBytes: number): void {
    super.store(tables, liveBytes, allocatedBytes);
    this.#waiting = this.load();
    this.#flushing ??= this.#flush();
  }

  /** Resolves when all that was stored is durable. */
  async flushed(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  async #flush(): Promise<void> {
    for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
      this.#waiting = undefined;
      await this.#pace();
      this.#durable.store(next.tables, next.liveBytes, next.allocatedBytes);
    }
    this.#flushing = undefined;
  }
}

/** A backend in memory that is as slow as its disk. */
class SlowMemoryBackend extends MemoryBackend {
  readonly #disk: SlowMemoryDisk;

  constructor(disk: SlowMemoryDisk, clock: Clock, batchIntervalMillis: number) {
    super({ disk, clock, batchIntervalMillis });
    this.#disk = disk;
  }

  override async commit(): Promise<void> {
    await super.commit();
    await this.#disk.flushed();
  }

  override async replaceWith(source: RowSource, adopt?: () => void): Promise<void> {
    await super.replaceWith(source, adopt);
    await this.#disk.flushed();
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#disk.flushed();
  }
}

/** The disks of a member: one under the log and the snapshots, one under the backend. */
export class SimulatedDisk {
  conditions: DiskConditions = { ...GOOD_DISK };
  readonly #random: Random;
  readonly #backend = new MemoryDisk();
  #fs: MemoryFs;
  #process: SimulatedProcess | undefined;

  constructor(random: Random) {
    this.#random = random;
    this.#fs = new MemoryFs({ pace: (operation) => this.#pace(operation) });
  }

  get fs(): MemoryFs {
    return this.#fs;
  }

  /** Plugs the disk into a process. */
  attach(process: SimulatedProcess): void {
    this.#process = process;
  }

  /** Leaves a file in that directory, as a database would: it tells that there is one. */
  async openBackend(process: SimulatedProcess, directory: string): Promise<MemoryBackend> {
    const file = await this.#fs.open(`${directory}/db.lmdb`, { create: true, write: true });
    await file.close();
    await this.#fs.syncDirectory(directory);
    const disk = new SlowMemoryDisk(this.#backend, () => this.#pace('sync'));
    return new SlowMemoryBackend(disk, process, 1 + this.#random.integer(100));
  }

  /** Makes one of the next operations fail, as a dying disk would. */
  failSoon(): void {
    const operation = FAILING[this.#random.integer(FAILING.length)] ?? 'sync';
    this.#fs.failNext({ operation, code: 'EIO', skip: this.#random.integer(MOST_SKIPPED) });
  }

  /** Leaves room for so many bytes, until the process ends. */
  fill(freeBytes: number): void {
    this.#fs.limitSpace(freeBytes);
  }

  /** What is left when the process ended, in that mode: `keep` unless the power went as well. */
  crash(mode: CrashMode): void {
    this.#fs = this.#fs.crash(this.#random, mode);
    this.#fs.limitSpace(Number.POSITIVE_INFINITY);
  }

  async #pace(operation: FsOperation): Promise<void> {
    if (this.#process === undefined || !SLOW_OPERATIONS.has(operation)) return;
    const { operationMillis, stallRate, stallMillis } = this.conditions;
    const isStalled = operation === 'sync' && stallRate > 0 && this.#random.float() < stallRate;
    const longest = isStalled ? stallMillis : operationMillis;
    await this.#process.sleep(this.#random.float() * longest);
  }
}
