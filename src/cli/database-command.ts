import { isSystemError } from '../platform/errno.js';
import { nodeClock } from '../platform/node-clock.js';
import type { Flags } from './args/flags.js';
import { CommandFailure, ExitCode } from './exit.js';
import { fileFailure, OfflineCommand } from './offline-command.js';
import { isOutputFormat } from './printers/create-printer.js';
import type { OutputFormat } from './printers/printer.js';
import { ProgressLine } from './progress-line.js';

/** Takes bytes done and bytes in all. */
export type Progress = (done: number, total: number) => void;

/** A command that reads database files: of a real etcd, of ours, and snapshots. */
export abstract class DatabaseCommand<Declared extends Flags> extends OfflineCommand<Declared> {
  /** The format that the user asked for. @throws CommandFailure for an unknown one */
  protected get format(): OutputFormat {
    const { 'write-out': format } = this.parsedArguments.flags;
    if (typeof format === 'string' && isOutputFormat(format)) return format;
    throw new CommandFailure(ExitCode.BadFeature, 'unsupported output format');
  }

  /** @throws CommandFailure if the command has no form for the wanted format */
  protected requireFormat(...supported: OutputFormat[]): OutputFormat {
    const { format } = this;
    if (supported.includes(format)) return format;
    throw new CommandFailure(ExitCode.BadFeature, `${format} not supported as output format`);
  }

  /**
   * Does `work`, and tells on stderr how far it is unless the output is for programs.
   * @throws CommandFailure in Go's words if the system refused something
   */
  protected async reading<T>(
    label: string,
    work: (onProgress: Progress | undefined) => Promise<T>,
  ): Promise<T> {
    const progress = new ProgressLine(this.terminal, nodeClock, label);
    const onProgress = (done: number, total: number) => progress.update(done, total);
    try {
      return await work(this.format === 'json' ? undefined : onProgress);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw fileFailure(error.syscall ?? 'open', error.path ?? '', error);
    } finally {
      progress.end();
    }
  }

  /** Writes to stdout and waits until it takes more. */
  protected async write(content: string | Uint8Array): Promise<void> {
    this.terminal.out(content);
    await this.terminal.outDrained?.();
  }
}
