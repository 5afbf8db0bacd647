import { EMPTY_BYTES } from '../../base/bytes.js';
import type { Logger } from '../../base/logger.js';
import type { MemoryStorage } from '../../raft/memory-storage.js';
import type { ConfState } from '../../raft/types.js';

/** Applied entries after which the log in memory is cut anew (reference: semantics 12). */
const CUT_ENTRIES = 100;
/**
 * Bytes of log that are kept for a member that gets a snapshot. A transfer may take hours, and the
 * leader must not end for want of memory meanwhile; the member then needs another snapshot.
 */
export const MAX_KEPT_LOG_BYTES = 1024 * 1024 * 1024;

export interface LogCompactorOptions {
  readonly storage: MemoryStorage;
  readonly logger: Logger;
  /** Entries kept in memory behind the applied index, for members that lag. */
  readonly catchUpEntries: number;
  /** Whether a member that gets a snapshot may still need the log that would be cut. */
  readonly needsLog: () => boolean;
  /** The configuration as applied so far. */
  readonly confState: () => ConfState;
}

/** Keeps the log in memory short. Members that are further behind get a snapshot. */
export class LogCompactor {
  readonly #options: LogCompactorOptions;
  #cutAt: number;

  /** @param lastIndex of the snapshot that the log begins with */
  constructor(options: LogCompactorOptions, lastIndex: number) {
    this.#options = options;
    this.#cutAt = lastIndex;
  }

  /** Told of each advance of the applied index. */
  onApplied(index: number): void {
    if (index - this.#cutAt <= CUT_ENTRIES) return;
    this.#cutAt = index;
    const { storage, catchUpEntries, confState } = this.#options;
    const cut = index - catchUpEntries;
    if (cut < storage.firstIndex() || this.#isKept()) return;
    // What the snapshot holds is made when it is sent.
    storage.createSnapshot(index, confState(), EMPTY_BYTES);
    storage.compact(cut);
  }

  /** The log was replaced by a snapshot. */
  replaced(index: number): void {
    this.#cutAt = index;
  }

  #isKept(): boolean {
    const { storage, needsLog, logger } = this.#options;
    if (!needsLog()) return false;
    if (storage.bytes <= MAX_KEPT_LOG_BYTES) return true;
    logger.warn('cut the log that a member with a snapshot under way may need: it is too long', {
      'first-index': storage.firstIndex(),
      'last-index': storage.lastIndex(),
      bytes: storage.bytes,
    });
    return false;
  }
}
