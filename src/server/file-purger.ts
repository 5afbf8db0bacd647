import type { Logger } from '../base/logger.js';
import type { Clock, Timer } from '../platform/clock.js';
import type { Fs } from '../platform/fs.js';
import { purgeOldest, snapshotDatabaseIndex } from '../storage/wal/purge.js';

/** Time between looks for files to delete, ms (reference: formats 1.10). */
const PURGE_INTERVAL_MILLIS = 30_000;

export interface FilePurgerOptions {
  readonly fs: Fs;
  readonly clock: Pick<Clock, 'setPeriodic'>;
  readonly logger: Logger;
  readonly snapDirectory: string;
  readonly walDirectory: string;
  /** Files of each kind to keep, 0 for all. */
  readonly maxSnapshots: number;
  readonly maxWals: number;
  /** Whether the log still needs a segment. */
  readonly holdsSegment: (name: string) => boolean;
  /** The last entry that is applied. */
  readonly appliedIndex: () => number;
}

/** Deletes old snapshots and log segments that nothing needs any more. */
export class FilePurger {
  readonly #options: FilePurgerOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;

  constructor(options: FilePurgerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.setPeriodic(PURGE_INTERVAL_MILLIS, () => this.#look());
    this.#look();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#running;
  }

  #look(): void {
    this.#running ??= this.#purge()
      .catch((error: unknown) => {
        this.#options.logger.error('failed to purge files', { error: String(error) });
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #purge(): Promise<void> {
    const { fs, logger, snapDirectory, walDirectory, maxSnapshots, maxWals } = this.#options;
    // Trap: the log may know already of a snapshot whose database is to be installed. Without it, the
    // member could never start again.
    const isHeld = (name: string): boolean =>
      (snapshotDatabaseIndex(name) ?? 0) > this.#options.appliedIndex();
    await purgeOldest(fs, snapDirectory, { suffix: '.snap.db', max: maxSnapshots, isHeld, logger });
    await purgeOldest(fs, snapDirectory, { suffix: '.snap', max: maxSnapshots, logger });
    await purgeOldest(fs, walDirectory, {
      suffix: '.wal',
      max: maxWals,
      isHeld: this.#options.holdsSegment,
      logger,
    });
  }
}
