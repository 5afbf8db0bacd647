import type { Config } from '@oclif/core/config';
import type { ParsedArguments } from '../cli/args/flag-set.js';
import { boolFlag, valueFlag } from '../cli/args/flags.js';
import type { Invocation } from '../cli/base-command.js';
import { DatabaseCommand } from '../cli/database-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import { FACES, type Face, type Section } from '../cli/faces.js';
import { logLine } from '../cli/go-log.js';
import { EntryDump } from '../cli/logs/entry-dump.js';
import { logFailure } from '../cli/logs/log-failure.js';
import { endJson, footer, logHeading, logJson } from '../cli/logs/log-heading.js';
import { dumpRaw } from '../cli/logs/raw-dump.js';
import { ENTRY_TYPES, entryFilter } from '../offline/logs/decode-entry.js';
import { KeptSegments, walDirectoryOf } from '../offline/logs/log-directory.js';
import { readEntries } from '../offline/logs/log-outline.js';
import { type LogChoice, openLog } from '../offline/logs/open-log.js';
import { nodeFs } from '../platform/node-fs.js';

const DEFAULT_ENTRY_TYPES = 'Normal,ConfigChange';
const MAX_INDEX = 2n ** 64n - 1n;

const FLAGS = {
  'wal-dir': valueFlag(
    'string',
    '',
    "If set, dumps WAL from the informed path, rather than following the standard 'data_dir/member/wal/' location",
  ),
  'start-snap': valueFlag('string', '', 'The base name of snapshot file to start dumping'),
  'start-index': valueFlag('uint', '0', 'The index to start dumping (inclusive)'),
  'end-index': valueFlag('uint', String(MAX_INDEX), 'The index to stop dumping (exclusive)'),
  'entry-type': valueFlag(
    'string',
    DEFAULT_ENTRY_TYPES,
    `Filters output by entry type. Must be one or more of: ${ENTRY_TYPES.join(', ')}`,
  ),
  'stream-decoder': valueFlag(
    'string',
    '',
    'The name of an executable decoding tool, the executable must process hex encoded lines of binary input and output a line for each input line',
  ),
  raw: boolFlag('Read the logs in the low-level form'),
};

type Input = ParsedArguments<typeof FLAGS>;

/** `dump-logs` (reference: cli 11). */
export default class DumpLogs extends DatabaseCommand<typeof FLAGS> {
  static override summary = 'Prints the entries of a write-ahead log';
  static override description =
    'Prints the entries of the write-ahead log of a member, alive or dead, as etcd-dump-logs 3.6 does. With `-w json` every line is an object: first a `log`, then each `entry`, then the `end`; with --raw one for each record. Bytes are in base64; beside a key that is text stands its `key_text`.';
  static override usage = 'dump-logs [data dir]';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcd-dump-logs'];
  static override flags = FLAGS;

  /** Trap: etcd-dump-logs is a Go program, whose long flags have one dash: `-start-index 5`. */
  constructor(argv: string[], config: Config, invocation?: Invocation) {
    const readsOneDash = invocation !== undefined && FACES[invocation.face].hasGoFlags === true;
    super(readsOneDash ? argv : argv.map(withTwoDashes), config, invocation);
  }

  protected override async execute(input: Input): Promise<void> {
    const { flags } = input;
    const choice = logChoice(input);
    const asJson = this.requireFormat('simple', 'json') === 'json';
    const { terminal } = this;
    const log = (text: string) => this.#log(text);
    const write = (content: string | Uint8Array) => this.write(content);
    if (flags.raw) {
      const startIndex = flags['start-index'];
      await dumpRaw(nodeFs, choice.walDirectory, { log, terminal, write, asJson, startIndex });
      return;
    }
    const files = new KeptSegments(nodeFs);
    try {
      await this.#dump(files, choice, input, asJson);
    } catch (error) {
      throw logFailure(error, choice.walDirectory);
    } finally {
      await files.close();
    }
  }

  /** @throws CommandFailure, WalError, SnapshotLoadError, ErrnoException */
  async #dump(
    files: KeptSegments,
    choice: LogChoice,
    { flags }: Input,
    asJson: boolean,
  ): Promise<void> {
    const { terminal } = this;
    const { snapshot, outline } = await openLog(nodeFs, files, choice);
    if (outline.gap !== undefined) {
      this.#log(`Failed reading all WAL: ${outline.gap.message}`);
    }
    const { 'entry-type': typeList, 'stream-decoder': decoder } = flags;
    const { startIndex } = choice;
    const endIndex = Number(flags['end-index']);
    const heading = { snapshot, startIndex, outline, endIndex, hasDecoder: decoder !== '' };
    await this.write(asJson ? `${logJson(heading)}\n` : logHeading(heading));
    const types = typeList === '' ? [] : typeList.split(',');
    for (const type of types) if (!ENTRY_TYPES.includes(type)) this.#log(unknownType(type));
    const passes = entryFilter(types);
    const write = (content: string | Uint8Array) => this.write(content);
    const dump = new EntryDump({ terminal, write, asJson, passes, endIndex, decoder });
    try {
      await readEntries(files, choice.walDirectory, outline, (entry) => dump.take(entry));
      await dump.end();
    } finally {
      await dump.close();
    }
    await this.write(asJson ? `${endJson(typeList, dump.count)}\n` : footer(typeList, dump.count));
  }

  #log(text: string): void {
    this.terminal.error(logLine(this.invocation.face, text));
  }
}

function withTwoDashes(word: string): string {
  const name = /^-([a-z][a-z-]+)(=.*)?$/s.exec(word)?.[1];
  return name !== undefined && Object.hasOwn(FLAGS, name) ? `-${word}` : word;
}

/** @throws CommandFailure if flags and arguments don't go together */
function logChoice({ flags, given, positionals }: Input): LogChoice {
  const [dataDirectory, ...more] = positionals;
  if (dataDirectory === undefined || more.length > 0) {
    const got = `(got [${positionals.join(' ')}])`;
    throw new CommandFailure(ExitCode.Error, `Must provide data-dir argument ${got}`);
  }
  const { 'start-snap': snapshotName, 'wal-dir': wal } = flags;
  const hasStart = given.has('start-index');
  if (snapshotName !== '' && hasStart) {
    const text = 'start-snap and start-index flags cannot be used together.';
    throw new CommandFailure(ExitCode.Error, text);
  }
  const hasFilter = flags['entry-type'] !== DEFAULT_ENTRY_TYPES;
  if (flags.raw && (snapshotName !== '' || flags['stream-decoder'] !== '' || hasFilter)) {
    const text = 'Flags --entry-type, --stream-decoder, --entrytype not supported in the RAW mode.';
    throw new CommandFailure(ExitCode.Error, text);
  }
  return {
    dataDirectory,
    walDirectory: wal === '' ? walDirectoryOf(dataDirectory) : wal,
    startIndex: hasStart ? Number(flags['start-index']) : undefined,
    snapshotName,
    stopAtGap: flags['end-index'] !== MAX_INDEX,
  };
}

function unknownType(type: string): string {
  return (
    `[${type}] is not a valid entry-type, ignored.\n` +
    `Please set entry-type to one or more of the following:\n${ENTRY_TYPES.join(', ')}`
  );
}
