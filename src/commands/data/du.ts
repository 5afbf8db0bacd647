import { humanizeBytes } from '../../base/go-format.js';
import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { valueFlag } from '../../cli/args/flags.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { JsonObject } from '../../cli/printers/go-json.js';
import { SourceCommand } from '../../cli/source-command.js';
import type { DiskUsage, PrefixUsage } from '../../offline/disk-usage.js';
import { nodeFs } from '../../platform/node-fs.js';

const FLAGS = {
  prefix: valueFlag('string', '', 'count only keys that begin with this'),
  depth: valueFlag('uint', '2', 'how many parts of a key make a prefix'),
  separator: valueFlag('string', '/', 'what separates the parts of a key'),
  limit: valueFlag('uint', '0', 'show only so many prefixes, the largest first (0: all)'),
};

/** `data du`: no such command in etcd. */
export default class DataDu extends SourceCommand<typeof FLAGS> {
  static override summary =
    'Sums up by prefix what keys take in a database, and what could be freed';
  static override description =
    'Sums up by prefix how many bytes of a database are values that reads see, values that later ones replaced, and what was deleted; and says what a compaction and a defragmentation would leave. Of a database file, a snapshot, a data directory, or of a running server, which is asked for a snapshot.';
  static override usage = 'data du <filename, data dir or endpoint>';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit'];
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const { flags, positionals } = input;
    const source = singleArgument(positionals, 'data du requires exactly one argument');
    const format = this.requireFormat('simple', 'json', 'table');
    if (flags.separator === '') {
      throw new CommandFailure(ExitCode.BadArguments, '--separator must not be empty');
    }
    const { diskUsage } = await import('../../offline/disk-usage.js');
    const usage = await this.withDatabases([source], ([path = '']) =>
      this.reading('adding up', (onProgress) =>
        diskUsage(nodeFs, path, {
          prefix: latin1(flags.prefix),
          separator: latin1(flags.separator),
          depth: Number(flags.depth),
          onProgress,
        }),
      ),
    );
    const limit = flags.limit === 0n ? usage.prefixes.length : Number(flags.limit);
    const shown = usage.prefixes.slice(0, limit);
    if (format === 'json') {
      for (const prefix of shown) await this.write(`${prefixJson(prefix)}\n`);
      await this.write(`${summaryJson(usage)}\n`);
      return;
    }
    const { table } = await import('../../cli/printers/table-printer.js');
    const rows = [...shown, { ...usage.total, prefix: undefined }].map(cells);
    await this.write(format === 'table' ? table(COLUMNS, rows) : columns([[...COLUMNS], ...rows]));
    await this.write(summary(usage));
  }
}

const COLUMNS = ['KEYS', 'LIVE', 'SUPERSEDED', 'DELETED', 'PREFIX'];

type Shown = Omit<PrefixUsage, 'prefix'> & { readonly prefix: string | undefined };

function cells({ prefix, live, superseded, deleted }: Shown): string[] {
  const name = prefix === undefined ? 'total' : prefix === '' ? '""' : utf8(prefix);
  const sizes = [live, superseded, deleted].map(({ bytes }) => humanizeBytes(bytes));
  return [String(live.rows), ...sizes, name];
}

/** Numbers to the right, the prefix behind them. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = COLUMNS.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column < 4 ? cell.padStart(widths[column] ?? 0) : cell)).join('  ');
  return rows.map((row) => `${line(row)}\n`).join('');
}

function summary(usage: DiskUsage): string {
  const { fileBytes, usedBytes, compactedBytes, revision, compactRevision } = usage;
  const compacted = compactRevision < 0 ? 'never compacted' : `compacted to ${compactRevision}`;
  return [
    `revision ${revision}, ${compacted}`,
    `file: ${humanizeBytes(fileBytes)}, in use: ${humanizeBytes(usedBytes)}`,
    `defrag would free about ${humanizeBytes(Math.max(0, fileBytes - usedBytes))}, compaction to ${revision} and defrag about ${humanizeBytes(Math.max(0, fileBytes - compactedBytes))}`,
    '',
  ].join('\n');
}

function prefixJson({ prefix, ...usage }: PrefixUsage): string {
  const json = new JsonObject().requiredString('prefix', utf8(prefix));
  return amounts(json, usage).toString();
}

function summaryJson(usage: DiskUsage): string {
  const json = new JsonObject()
    .requiredNumber('depth', usage.depth)
    .requiredNumber('revision', usage.revision)
    .requiredNumber('compactRevision', usage.compactRevision)
    .requiredNumber('fileBytes', usage.fileBytes)
    .requiredNumber('usedBytes', usage.usedBytes)
    .requiredNumber('compactedBytes', usage.compactedBytes);
  return new JsonObject().raw('total', amounts(json, usage.total).toString()).toString();
}

function amounts(json: JsonObject, usage: Omit<PrefixUsage, 'prefix'>): JsonObject {
  return json
    .requiredNumber('keys', usage.live.rows)
    .requiredNumber('liveBytes', usage.live.bytes)
    .requiredNumber('supersededRows', usage.superseded.rows)
    .requiredNumber('supersededBytes', usage.superseded.bytes)
    .requiredNumber('deletedRows', usage.deleted.rows)
    .requiredNumber('deletedBytes', usage.deleted.bytes);
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}
