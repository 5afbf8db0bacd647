import { CommandFailure, ExitCode } from './exit.js';
import type { Printer } from './printers/printer.js';

/**
 * The printer of an output format; the others are not loaded.
 * @param hex print ids, keys and values as hex where the format knows how
 * @throws CommandFailure for an unknown format
 */
export async function loadPrinter(format: string, hex: boolean): Promise<Printer> {
  switch (format) {
    case 'simple':
      return new (await import('./printers/simple-printer.js')).SimplePrinter(hex);
    default:
      throw new CommandFailure(ExitCode.BadFeature, 'unsupported output format');
  }
}
