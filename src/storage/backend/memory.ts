import { asBuffer, type KeyText, keyBytes, keyText } from '../../base/bytes.js';
import type { Clock } from '../../platform/clock.js';
import {
  type Backend,
  type BackendSize,
  type BackendSnapshot,
  type Bucket,
  mapBuckets,
  type Row,
  type RowSource,
  requireStorableKey,
} from './backend.js';
import { type BatchLimits, BatchTimer } from './batch-timer.js';
import { RowOrderCheck } from './row-source.js';
import { SortedRows } from './sorted-rows.js';

/** Rows by bucket. */
type Tables = Readonly<Record<Bucket, SortedRows<Buffer>>>;

/** Sizes are counted in pages of this many bytes, as a file's would be. */
const PAGE_BYTES = 4096;
/** What a row takes beside its key and value, bytes. */
const ROW_OVERHEAD_BYTES = 16;

/**
 * What survives a crash: the committed state that one {@link MemoryBackend} after another opens.
 * At most one of them may be in use at a time.
 */
export class MemoryDisk {
  #tables: Tables = emptyTables();
  #liveBytes = 0;
  #allocatedBytes = 0;

  /** Committed rows, to write to without changing the disk. */
  load(): { tables: Tables; liveBytes: number; allocatedBytes: number } {
    return {
      tables: cloneTables(this.#tables),
      liveBytes: this.#liveBytes,
      allocatedBytes: this.#allocatedBytes,
    };
  }

  /** Replaces the committed state. */
  store(tables: Tables, liveBytes: number, allocatedBytes: number): void {
    this.#tables = cloneTables(tables);
    this.#liveBytes = liveBytes;
    this.#allocatedBytes = allocatedBytes;
  }
}

export interface MemoryBackendOptions extends BatchLimits {
  /** Where commits go; a fresh one if absent. */
  readonly disk?: MemoryDisk;
  /** Without a clock, only `commit` and `close` commit. */
  readonly clock?: Clock;
}

/** A backend in memory: the store of an in-memory server and of a simulated member. */
export class MemoryBackend implements Backend {
  readonly disk: MemoryDisk;
  readonly #batchTimer: BatchTimer | undefined;
  #tables: Tables;
  #liveBytes: number;
  #allocatedBytes: number;
  #preCommitHook: () => void = () => {};
  #closed = false;
  /** What the pre-commit hook threw; every later commit throws it again. */
  #failure: unknown;

  constructor(options: MemoryBackendOptions = {}) {
    this.disk = options.disk ?? new MemoryDisk();
    const state = this.disk.load();
    this.#tables = state.tables;
    this.#liveBytes = state.liveBytes;
    this.#allocatedBytes = state.allocatedBytes;
    if (options.clock !== undefined) {
      this.#batchTimer = new BatchTimer(options.clock, options, () => this.#commitWhenDue());
    }
  }

  get(bucket: Bucket, key: Uint8Array): Buffer | undefined {
    this.#requireOpen();
    return this.#tables[bucket].get(keyText(key));
  }

  range(bucket: Bucket, start: Uint8Array, end?: Uint8Array, limit?: number): Iterable<Row> {
    this.#requireOpen();
    return rangeOf(this.#tables[bucket], start, end, limit);
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#requireOpen();
    requireStorableKey(key);
    // A copy of its own, lest a small value keep a large receive buffer alive for good.
    const before = this.#tables[bucket].set(keyText(key), Buffer.from(asBuffer(value)));
    this.#liveBytes += value.length - (before?.length ?? -(key.length + ROW_OVERHEAD_BYTES));
    this.#allocatedBytes = Math.max(this.#allocatedBytes, this.#liveBytes);
    this.#batchTimer?.noteWrite();
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#requireOpen();
    requireStorableKey(key);
    const before = this.#tables[bucket].delete(keyText(key));
    if (before !== undefined) {
      this.#liveBytes -= before.length + key.length + ROW_OVERHEAD_BYTES;
    }
    this.#batchTimer?.noteWrite();
  }

  setPreCommitHook(hook: () => void): void {
    this.#preCommitHook = hook;
  }

  async commit(): Promise<void> {
    this.#commitNow();
  }

  backpressure(): undefined {
    return undefined;
  }

  async snapshot(): Promise<BackendSnapshot> {
    this.#commitNow();
    return new MemorySnapshot(cloneTables(this.#tables));
  }

  size(): BackendSize {
    return { allocated: wholePages(this.#allocatedBytes), inUse: wholePages(this.#liveBytes) };
  }

  async defragment(): Promise<void> {
    this.#allocatedBytes = this.#liveBytes;
    this.#commitNow();
  }

  async replaceWith(source: RowSource, adopt: () => void = () => {}): Promise<void> {
    this.#requireOpen();
    const order = new RowOrderCheck();
    const tables = emptyTables();
    let bytes = 0;
    for await (const batch of source) {
      order.check(batch);
      for (const [key, value] of batch.rows) {
        tables[batch.bucket].set(keyText(key), Buffer.from(value));
        bytes += key.length + value.length + ROW_OVERHEAD_BYTES;
      }
    }
    this.#requireOpen();
    this.#batchTimer?.reset();
    this.#tables = tables;
    this.#liveBytes = bytes;
    this.#allocatedBytes = bytes;
    this.disk.store(tables, bytes, bytes);
    try {
      adopt();
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    try {
      this.#commitNow();
    } finally {
      this.#batchTimer?.reset();
      this.#closed = true;
    }
  }

  /** Ends the backend as a crash would: what was not committed is lost. Returns what is left. */
  crash(): MemoryDisk {
    this.#batchTimer?.reset();
    this.#closed = true;
    return this.disk;
  }

  #commitWhenDue(): void {
    try {
      this.#commitNow();
    } catch (error) {
      // Nobody waits for this commit; the next one that is asked for tells.
      this.#failure ??= error;
    }
  }

  #commitNow(): void {
    this.#requireOpen();
    if (this.#failure !== undefined) throw this.#failure;
    this.#preCommitHook();
    this.#batchTimer?.reset();
    this.disk.store(this.#tables, this.#liveBytes, this.#allocatedBytes);
  }

  #requireOpen(): void {
    if (this.#closed) {
      throw new Error('the backend is closed');
    }
  }
}

class MemorySnapshot implements BackendSnapshot {
  #tables: Tables | undefined;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  get(bucket: Bucket, key: Uint8Array): Buffer | undefined {
    return this.#open()[bucket].get(keyText(key));
  }

  range(bucket: Bucket, start: Uint8Array, end?: Uint8Array, limit?: number): Iterable<Row> {
    return rangeOf(this.#open()[bucket], start, end, limit);
  }

  close(): void {
    this.#tables = undefined;
  }

  #open(): Tables {
    if (this.#tables === undefined) {
      throw new Error('the backend snapshot is closed');
    }
    return this.#tables;
  }
}

function* rangeOf(
  rows: SortedRows<Buffer>,
  start: Uint8Array,
  end: Uint8Array | undefined,
  limit = Number.POSITIVE_INFINITY,
): Generator<Row> {
  const endText = end === undefined ? undefined : keyText(end);
  const cursor = rows.cursor(keyText(start));
  for (let count = 0; count < limit; count++) {
    const key: KeyText | undefined = cursor.key;
    if (key === undefined || (endText !== undefined && key >= endText)) {
      return;
    }
    yield [keyBytes(key), cursor.value as Buffer];
    cursor.advance();
  }
}

function emptyTables(): Tables {
  return mapBuckets(() => new SortedRows<Buffer>());
}

function cloneTables(tables: Tables): Tables {
  return mapBuckets((bucket) => tables[bucket].clone());
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
