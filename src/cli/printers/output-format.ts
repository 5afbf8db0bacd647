import { CommandFailure, ExitCode } from '../exit.js';

/** The values of `--write-out`. */
const OUTPUT_FORMATS = ['fields', 'json', 'protobuf', 'simple', 'table'] as const;

export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/**
 * The value of `--write-out`.
 * @throws CommandFailure if it is none
 */
export function outputFormat(value: unknown): OutputFormat {
  const format = OUTPUT_FORMATS.find((candidate) => candidate === value);
  if (format !== undefined) return format;
  throw new CommandFailure(ExitCode.BadFeature, 'unsupported output format');
}

/**
 * The value of `--write-out`, if the command has a form for it.
 * @throws CommandFailure
 */
export function supportedFormat(value: unknown, supported: readonly OutputFormat[]): OutputFormat {
  const format = outputFormat(value);
  if (supported.includes(format)) return format;
  throw new CommandFailure(ExitCode.BadFeature, `${format} not supported as output format`);
}
