import type { Flags } from './args/flags.js';
import { OfflineCommand } from './offline-command.js';
import { type Progress, withProgress } from './reading.js';

/** A command that reads database files: of a real etcd, of ours, and snapshots. */
export abstract class DatabaseCommand<Declared extends Flags> extends OfflineCommand<Declared> {
  /** As {@link withProgress}. */
  protected reading<T>(
    label: string,
    work: (onProgress: Progress | undefined) => Promise<T>,
  ): Promise<T> {
    return withProgress(this.terminal, this.parsedArguments.flags['write-out'], label, work);
  }
}
