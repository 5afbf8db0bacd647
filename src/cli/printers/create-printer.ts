import { FieldsPrinter } from './fields-printer.js';
import { JsonPrinter } from './json-printer.js';
import type { OutputFormat } from './output-format.js';
import type { Printer } from './printer.js';
import { ProtobufPrinter } from './protobuf-printer.js';
import { SimplePrinter } from './simple-printer.js';

/** The printer of a format. The table library is loaded only when it is asked for. */
export async function createPrinter(format: OutputFormat, hex: boolean): Promise<Printer> {
  switch (format) {
    case 'simple':
      return new SimplePrinter(hex);
    case 'json':
      return new JsonPrinter(hex);
    case 'fields':
      return new FieldsPrinter(hex);
    case 'protobuf':
      return new ProtobufPrinter();
    case 'table': {
      const { TablePrinter } = await import('./table-printer.js');
      return new TablePrinter();
    }
  }
}
