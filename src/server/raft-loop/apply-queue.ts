import type { StorageApply } from '../../raft/ready.js';
import type { Entry, Snapshot } from '../../raft/types.js';

/** Entries applied before the event loop gets a chance to do something else. */
const APPLY_SLICE = 256;

export interface ApplyQueueOptions {
  /** Applies one committed entry. Must not throw unless the member has to end. */
  readonly apply: (entry: Entry) => void;
  /** Replaces the state by that of a snapshot, whose database is stored already. */
  readonly install: (snapshot: Snapshot) => Promise<void>;
  /** If defined, nothing is applied before it resolves: the backend has too much to write. */
  readonly backpressure: () => Promise<void> | undefined;
  /** Tells Raft that entries are applied. */
  readonly done: (apply: StorageApply) => void;
  /** Told after each slice of applied entries, and after a snapshot, with the last index. */
  readonly onApplied: (index: number) => void;
  /** Asks for another call of {@link ApplyQueue.run}. */
  readonly schedule: () => void;
  readonly onFatal: (error: unknown) => void;
}

type Work =
  | { readonly kind: 'entries'; readonly apply: StorageApply }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot };

/**
 * What is committed and not yet applied, in its order. Bounded by Raft, which hands out a bounded
 * number of bytes before it hears of the first.
 */
export class ApplyQueue {
  readonly #options: ApplyQueueOptions;
  readonly #queue: Work[] = [];
  /** Position in the entries of the first. */
  #position = 0;
  #applied: number;
  #isPaused = false;
  #installing: Promise<void> | undefined;

  /** @param applied the last index that counts as applied already */
  constructor(options: ApplyQueueOptions, applied: number) {
    this.#options = options;
    this.#applied = applied;
  }

  get appliedIndex(): number {
    return this.#applied;
  }

  /** Whether all that was handed in is applied. */
  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** Waits for the snapshot that is being installed, if any. Never rejects. */
  async settle(): Promise<void> {
    await this.#installing;
  }

  pushEntries(apply: StorageApply): void {
    this.#queue.push({ kind: 'entries', apply });
  }

  pushSnapshot(snapshot: Snapshot): void {
    this.#queue.push({ kind: 'snapshot', snapshot });
  }

  /** Applies for as long as one turn of the event loop should last. */
  run(): void {
    if (this.#isPaused) return;
    let budget = APPLY_SLICE;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (next.kind === 'snapshot') {
        this.#install(next.snapshot);
        return;
      }
      const { entries } = next.apply;
      while (this.#position < entries.length) {
        const pressure = this.#options.backpressure();
        if (pressure !== undefined || budget-- === 0) {
          this.#options.onApplied(this.#applied);
          this.#resume(pressure);
          return;
        }
        const entry = entries[this.#position++] as Entry;
        this.#options.apply(entry);
        this.#applied = entry.index;
      }
      this.#queue.shift();
      this.#position = 0;
      this.#options.done(next.apply);
      if (this.#queue.length === 0) this.#options.onApplied(this.#applied);
    }
  }

  #install(snapshot: Snapshot): void {
    const installed = this.#options.install(snapshot).then(() => {
      this.#queue.shift();
      this.#applied = snapshot.index;
      this.#options.onApplied(this.#applied);
    });
    const settle = (): void => {
      this.#installing = undefined;
    };
    this.#installing = installed.then(settle, settle);
    this.#resume(installed);
  }

  #resume(pause: Promise<void> | undefined): void {
    const { schedule, onFatal } = this.#options;
    if (pause === undefined) {
      schedule();
      return;
    }
    this.#isPaused = true;
    pause
      .then(() => {
        this.#isPaused = false;
        schedule();
      })
      .catch(onFatal);
  }
}
