import type { Flags } from './args/flags.js';
import { OfflineCommand } from './offline-command.js';
import type { OutputFormat } from './printers/printer.js';
import { type Progress, supportedFormat, withProgress } from './reading.js';

/** A command that reads database files: of a real etcd, of ours, and snapshots. */
export abstract class DatabaseCommand<Declared extends Flags> extends OfflineCommand<Declared> {
  /** @throws CommandFailure if the command has no form for the wanted format */
  protected requireFormat(...supported: OutputFormat[]): OutputFormat {
    return supportedFormat(this.parsedArguments.flags['write-out'], supported);
  }

  /** As {@link withProgress}. */
  protected reading<T>(
    label: string,
    work: (onProgress: Progress | undefined) => Promise<T>,
  ): Promise<T> {
    return withProgress(this.terminal, this.parsedArguments.flags['write-out'], label, work);
  }

  /** Writes to stdout and waits until it takes more. */
  protected async write(content: string | Uint8Array): Promise<void> {
    this.terminal.out(content);
    await this.terminal.outDrained?.();
  }
}
