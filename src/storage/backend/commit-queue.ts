import { type KeyText, keyText } from '../../base/bytes.js';
import type { BackendSnapshot, Bucket } from './backend.js';
import type { BatchTimer } from './batch-timer.js';
import { type BufferedValue, WriteBuffer } from './write-buffer.js';

/** Uncommitted writes at which producers have to wait. */
export const MAX_BUFFERED_OPERATIONS = 100_000;
/** Bytes of uncommitted keys and values at which producers have to wait. */
export const MAX_BUFFERED_BYTES = 128 * 1024 * 1024;

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

interface Relief {
  readonly promise: Promise<void>;
  readonly waiter: Waiter<void>;
}

/** Writes that belong into one transaction, and who waits for it. */
interface SealedBatch {
  readonly rows: WriteBuffer;
  readonly commits: readonly Waiter<void>[];
  readonly snapshots: Waiter<BackendSnapshot>[];
}

export interface CommitQueueParts {
  readonly newTimer: (onDue: () => void) => BatchTimer;
  /** Commits a batch; resolves when it is durable. */
  readonly write: (batch: WriteBuffer) => Promise<void>;
  /** Called after each commit, before the batch leaves the layers. */
  readonly onCommitted: () => void;
  /** A view of the newest commit. */
  readonly openSnapshot: () => BackendSnapshot;
  readonly onFatal: (error: Error) => void;
}

/**
 * Collects writes into batches and has them committed one after another.
 *
 * At most one batch is being committed. Further ones wait only if snapshots were asked for, as a
 * snapshot ends a batch at its moment; all other writes gather in the pending batch.
 */
export class CommitQueue {
  readonly #parts: CommitQueueParts;
  readonly #timer: BatchTimer;
  #preCommitHook: () => void = () => {};
  #pending = new WriteBuffer();
  /** Who waits for the pending batch. */
  #commits: Waiter<void>[] = [];
  /** Batches in the order of their writing; the first is being committed unless paused. */
  readonly #sealed: SealedBatch[] = [];
  #draining: Promise<void> | undefined;
  #due = false;
  #paused = false;
  #fatal: Error | undefined;
  #relief: Relief | undefined;

  constructor(parts: CommitQueueParts) {
    this.#parts = parts;
    this.#timer = parts.newTimer(() => this.#onDue());
  }

  setPreCommitHook(hook: () => void): void {
    this.#preCommitHook = hook;
  }

  set(bucket: Bucket, key: KeyText, value: BufferedValue): void {
    this.#pending.set(bucket, key, value);
    if (this.#fatal === undefined) {
      this.#timer.noteWrite();
    }
  }

  /** The newest uncommitted value; null: deleted; undefined: not written. */
  get(bucket: Bucket, key: Uint8Array): BufferedValue | undefined {
    let text: KeyText | undefined;
    const pending = this.#pending.tables[bucket];
    if (pending.size > 0) {
      text = keyText(key);
      const value = pending.get(text);
      if (value !== undefined) {
        return value;
      }
    }
    for (let index = this.#sealed.length - 1; index >= 0; index--) {
      const table = this.#sealed[index]?.rows.tables[bucket];
      if (table !== undefined && table.size > 0) {
        text ??= keyText(key);
        const value = table.get(text);
        if (value !== undefined) {
          return value;
        }
      }
    }
    return undefined;
  }

  /** The uncommitted writes, the oldest batch first. */
  layers(): WriteBuffer[] {
    const layers = this.#sealed.map((batch) => batch.rows);
    layers.push(this.#pending);
    return layers;
  }

  commit(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#fatal !== undefined) {
        reject(this.#fatal);
        return;
      }
      this.#commits.push({ resolve, reject });
      // A commit under way delays the next one; what is written meanwhile joins it.
      if (this.#sealed.length === 0) {
        this.#seal();
      }
    });
  }

  snapshot(): Promise<BackendSnapshot> {
    return new Promise<BackendSnapshot>((resolve, reject) => {
      if (this.#fatal !== undefined) {
        reject(this.#fatal);
        return;
      }
      this.#seal({ resolve, reject });
    });
  }

  backpressure(): Promise<void> | undefined {
    if (!this.#isFull()) {
      return undefined;
    }
    if (this.#fatal !== undefined) {
      return Promise.reject(this.#fatal);
    }
    if (this.#relief === undefined) {
      this.#relief = newRelief();
      this.#timer.hurry();
    }
    return this.#relief.promise;
  }

  /**
   * Resolves when no commit is under way; none begins until {@link resume}. Rejects if one failed.
   */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#draining;
    if (this.#fatal !== undefined) {
      throw this.#fatal;
    }
  }

  resume(): void {
    this.#paused = false;
    this.#drain();
  }

  /**
   * Drops all writes that are not committed: what they were made to is replaced. Only while paused.
   */
  discard(): void {
    const error = new Error('the contents of the backend were replaced');
    const dropped = this.#sealed.splice(0);
    const commits = this.#commits;
    this.#pending = new WriteBuffer();
    this.#commits = [];
    this.#due = false;
    this.#timer.reset();
    for (const { snapshots } of dropped) for (const waiter of snapshots) waiter.reject(error);
    for (const waiter of [...dropped.flatMap((batch) => batch.commits), ...commits]) {
      waiter.resolve();
    }
    this.#relief?.waiter.resolve();
    this.#relief = undefined;
  }

  /** Commits no more: the store was lost by other means than a commit. */
  fail(error: Error): void {
    if (this.#fatal === undefined) this.#fail(error);
  }

  /** Commits everything. */
  async close(): Promise<void> {
    try {
      await this.commit();
    } finally {
      this.#timer.reset();
    }
  }

  #onDue(): void {
    if (this.#sealed.length === 0) {
      this.#seal();
    } else {
      this.#due = true;
    }
  }

  /** Ends the pending batch, and begins to commit it if no other is before it. */
  #seal(snapshot?: Waiter<BackendSnapshot>): void {
    try {
      this.#preCommitHook();
    } catch (error) {
      snapshot?.reject(error as Error);
      this.#fail(error as Error);
      return;
    }
    this.#timer.reset();
    this.#due = false;
    const snapshots = snapshot === undefined ? [] : [snapshot];
    this.#sealed.push({ rows: this.#pending, commits: this.#commits, snapshots });
    this.#pending = new WriteBuffer();
    this.#commits = [];
    this.#drain();
  }

  #drain(): void {
    const cannot = this.#paused || this.#fatal !== undefined;
    if (cannot || this.#draining !== undefined || this.#sealed.length === 0) {
      return;
    }
    this.#draining = this.#commitSealed().finally(() => {
      this.#draining = undefined;
      this.#drain();
    });
  }

  async #commitSealed(): Promise<void> {
    let batch = this.#sealed[0];
    while (batch !== undefined && !this.#paused && this.#fatal === undefined) {
      try {
        if (batch.rows.operations > 0) {
          await this.#parts.write(batch.rows);
        }
        this.#finish(batch);
      } catch (error) {
        this.#fail(error as Error);
        return;
      }
      batch = this.#sealed[0];
    }
  }

  /** One stretch without a wait: no other commit can come between this one and its snapshots. */
  #finish(batch: SealedBatch): void {
    this.#parts.onCommitted();
    this.#sealed.shift();
    for (const waiter of batch.snapshots) {
      this.#openSnapshot(waiter);
    }
    for (const waiter of batch.commits) {
      waiter.resolve();
    }
    if (this.#relief !== undefined && !this.#isFull()) {
      this.#relief.waiter.resolve();
      this.#relief = undefined;
    }
    if (this.#sealed.length === 0 && (this.#due || this.#commits.length > 0)) {
      this.#seal();
    }
  }

  #openSnapshot(waiter: Waiter<BackendSnapshot>): void {
    try {
      waiter.resolve(this.#parts.openSnapshot());
    } catch (error) {
      // Too many are open: that one fails, the backend goes on.
      waiter.reject(error as Error);
    }
  }

  /** Keeps all buffers, so that reads stay right, but commits no more. */
  #fail(error: Error): void {
    this.#fatal = error;
    this.#timer.reset();
    for (const batch of this.#sealed) {
      for (const waiter of [...batch.commits, ...batch.snapshots]) {
        waiter.reject(error);
      }
    }
    for (const waiter of this.#commits.splice(0)) {
      waiter.reject(error);
    }
    this.#relief?.waiter.reject(error);
    this.#relief = undefined;
    this.#parts.onFatal(error);
  }

  #isFull(): boolean {
    let { operations, bytes } = this.#pending;
    for (const batch of this.#sealed) {
      operations += batch.rows.operations;
      bytes += batch.rows.bytes;
    }
    return operations >= MAX_BUFFERED_OPERATIONS || bytes >= MAX_BUFFERED_BYTES;
  }
}

function newRelief(): Relief {
  let settle: Waiter<void> = { resolve: () => {}, reject: () => {} };
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, waiter: settle };
}
