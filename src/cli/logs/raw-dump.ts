import { type RawRecord, rawSegments, readRawRecords } from '../../offline/logs/raw-records.js';
import { isSystemError } from '../../platform/errno.js';
import { fileErrorText } from '../../platform/file-error-text.js';
import type { Fs } from '../../platform/fs.js';
import { CommandFailure, ExitCode } from '../exit.js';
import type { Terminal } from '../terminal.js';
import { LineBatch } from './line-batch.js';
import { rawJson, rawLine } from './raw-rows.js';

export interface RawDumpOptions {
  readonly terminal: Terminal;
  /** Writes a line by the way. */
  readonly log: (text: string) => void;
  readonly write: (content: string) => Promise<void>;
  readonly asJson: boolean;
  /** Entries, snapshots and states below it are left out. */
  readonly startIndex: bigint;
}

/**
 * Prints every record of a log, as `etcd-dump-logs -raw` does (reference: cli 11.3).
 * @throws CommandFailure
 */
export async function dumpRaw(fs: Fs, directory: string, options: RawDumpOptions): Promise<void> {
  const { terminal, log, write, asJson, startIndex } = options;
  const names = await segmentNames(fs, directory, log);
  const lines = new LineBatch(write);
  const warnings = new RecordWarnings(log);
  const end = await readRawRecords(fs, directory, names, (record) => {
    warnings.take(record);
    const line = asJson ? rawJson(record, startIndex) : rawLine(record, startIndex);
    return line === undefined ? undefined : lines.add(line);
  }).finally(() => lines.flush());
  if (end.kind === 'end') {
    if (!asJson) await write('EOF: All entries were processed.\n');
    return;
  }
  const { message, file, offset } = end.fault;
  if (end.kind === 'torn') {
    const text = `ErrUnexpectedEOF: The last record might be corrupted, error: ${message}.\n`;
    if (asJson) terminal.error(text);
    else await write(text);
    return;
  }
  const place = `in file '${file}' at position: ${offset}`;
  throw new CommandFailure(ExitCode.Error, `Reading failed: ${message}: ${place}`);
}

async function segmentNames(
  fs: Fs,
  directory: string,
  log: RawDumpOptions['log'],
): Promise<string[]> {
  try {
    const [names, ignored] = await rawSegments(fs, directory);
    for (const name of ignored) log(`Warning: Ignoring not .wal file: ${name}`);
    return names;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const cause = fileErrorText('open', directory, error);
    const text = `Failed to read directory '${directory}' error:${cause}`;
    throw new CommandFailure(ExitCode.Error, text, { cause: error });
  }
}

/** Tells of wrong CRCs, once for each run of them, and of records of no known kind. */
class RecordWarnings {
  readonly #log: RawDumpOptions['log'];
  #isOutOfStep = false;

  constructor(log: RawDumpOptions['log']) {
    this.#log = log;
  }

  take(record: RawRecord): void {
    const { kind, type, crc, computedCrc, file, offset } = record;
    if (computedCrc !== undefined && !this.#isOutOfStep) {
      this.#log(
        'Error: Reading entry failed with CRC error: walpb: crc mismatch: ' +
          `expected: ${crc.toString(16)} computed: ${computedCrc.toString(16)}: ` +
          `in file '${file}' at position: ${offset}`,
      );
    }
    this.#isOutOfStep = computedCrc !== undefined;
    if (kind === undefined) this.#log(`Unexpected WAL log type: ${type}`);
  }
}
