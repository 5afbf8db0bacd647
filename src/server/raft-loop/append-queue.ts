import type { StorageAppend } from '../../raft/ready.js';
import type { Entry, HardState, Snapshot } from '../../raft/types.js';
import type { WalWriter } from '../../storage/wal/writer.js';

export interface AppendQueueOptions {
  readonly wal: WalWriter;
  /** Makes the file of a snapshot from the leader durable; its database is stored already. */
  readonly saveSnapshot: (snapshot: Snapshot) => Promise<void>;
  readonly isLeader: () => boolean;
  /** What one write made durable, in its order. */
  readonly onSaved: (appends: readonly StorageAppend[]) => void;
  readonly onFatal: (error: unknown) => void;
}

/**
 * What Raft wants on disk: whatever queued while one write was under way goes into the next, with
 * one sync. Bounded by what Raft lets be under way.
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  #appends: StorageAppend[] = [];
  #writing: Promise<void> | undefined;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
  }

  push(append: StorageAppend): void {
    this.#appends.push(append);
  }

  /** Waits for the write that is under way, if any. Never rejects. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  /** Begins to write all that waits, unless a write is under way. */
  write(): void {
    if (this.#writing !== undefined || this.#appends.length === 0) return;
    const appends = this.#appends;
    this.#appends = [];
    this.#writing = this.#save(appends)
      .then(() => {
        this.#writing = undefined;
        this.#options.onSaved(appends);
      })
      .catch(this.#options.onFatal);
  }

  async #save(appends: readonly StorageAppend[]): Promise<void> {
    const { wal, isLeader } = this.#options;
    let hardState: HardState | undefined;
    let entries: Entry[] = [];
    let snapshotIndex: number | undefined;
    for (const append of appends) {
      hardState = append.hardState ?? hardState;
      if (append.snapshot !== undefined) {
        // It replaces all entries before it, those that were not written yet included.
        entries = [];
        await this.#saveSnapshot(append.snapshot);
        snapshotIndex = append.snapshot.index;
      }
      for (const entry of append.entries) entries.push(entry);
    }
    // A follower's answer waits for its disk and for nothing else. A leader has more to do, and may
    // commit by the word of the others before its own disk is ready.
    await wal.save(hardState, entries, { mayBlock: !isLeader() });
    if (snapshotIndex === undefined) return;
    // A snapshot may come without a new term or vote, for which alone the log would not be synced.
    await wal.sync();
    // Before the hard state says that it is committed, a crash leads back to the log before it.
    wal.releaseTo(snapshotIndex);
  }

  /** The file comes first: the log must never name a snapshot that isn't there. */
  async #saveSnapshot(snapshot: Snapshot): Promise<void> {
    const { index, term, confState } = snapshot;
    await this.#options.saveSnapshot(snapshot);
    await this.#options.wal.saveSnapshot({ index, term, confState });
  }
}
