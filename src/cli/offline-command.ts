import { fileErrorText } from '../platform/file-error-text.js';
import type { Flags } from './args/flags.js';
import { BaseCommand } from './base-command.js';
import { CommandFailure, ExitCode } from './exit.js';
import type { Face } from './faces.js';
import { createPrinter } from './printers/create-printer.js';
import { outputFormat } from './printers/output-format.js';
import { type Printer, UnsupportedFormatError } from './printers/printer.js';

/** A command that works on files and asks no server. */
export abstract class OfflineCommand<Declared extends Flags> extends BaseCommand<Declared> {
  // Trap: oclif's manifest leaves out what a class inherits past one without statics of its own.
  static override faces: readonly Face[] = ['etcdkit', 'etcdutl'];

  /**
   * Prints what `work` found, in the format that the user asked for.
   * @throws CommandFailure, also for an unknown format, before anything is done
   */
  protected async print(work: (printer: Printer) => Promise<Uint8Array>): Promise<void> {
    const { 'write-out': wanted, hex } = this.parsedArguments.flags;
    const format = outputFormat(wanted);
    try {
      this.terminal.out(await work(await createPrinter(format, hex === true)));
    } catch (error) {
      if (!(error instanceof UnsupportedFormatError)) throw error;
      throw new CommandFailure(ExitCode.BadFeature, error.message);
    }
  }
}

/** A failed file operation, in Go's words. */
export function fileFailure(operation: string, path: string, error: unknown): CommandFailure {
  return new CommandFailure(ExitCode.Error, fileErrorText(operation, path, error), {
    cause: error,
  });
}
