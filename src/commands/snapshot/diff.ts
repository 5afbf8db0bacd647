import { quoteGo } from '../../base/go-format.js';
import { twoArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { JsonObject } from '../../cli/printers/go-json.js';
import { SourceCommand } from '../../cli/source-command.js';
import type { KeyDifference } from '../../offline/database-diff.js';
import type { LiveEntry } from '../../offline/live-entries.js';
import { nodeFs } from '../../platform/node-fs.js';

const FLAGS = {
  revisions: boolFlag('also show keys of which only revisions or versions differ'),
};

/** As diff(1): 0 alike, 1 different, 2 trouble. */
const EXIT_DIFFERENT = 1;
const EXIT_TROUBLE = 2;
/** Lines that are collected before they are written. */
const BATCH_LINES = 500;

/** `snapshot diff`: no such command in etcd. */
export default class SnapshotDiff extends SourceCommand<typeof FLAGS> {
  static override summary =
    'Shows which keys differ between two snapshots, data directories or servers';
  static override description =
    'Shows which keys were added (+), removed (-) or changed (~) between two snapshots, database files, data directories or running servers, which are asked for a snapshot. Keys are alike if their values and leases are. The exit code is that of diff: 0 alike, 1 different, 2 trouble.';
  static override usage = 'snapshot diff <before> <after>';
  static override section: Section = 'Cluster maintenance commands';
  static override faces: readonly Face[] = ['etcdkit'];
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const { flags, positionals } = input;
    const sources = twoArguments(positionals, 'snapshot diff requires exactly two arguments');
    const asJson = this.requireFormat('simple', 'json') === 'json';
    const counts = await this.#compare(sources, asJson, flags.revisions).catch((error) => {
      throw trouble(error);
    });
    if (counts.added + counts.removed + counts.changed > 0) {
      throw new CommandFailure(EXIT_DIFFERENT);
    }
  }

  async #compare(sources: readonly string[], asJson: boolean, comparesRevisions: boolean) {
    const { liveEntries } = await import('../../offline/live-entries.js');
    const { differences } = await import('../../offline/database-diff.js');
    const counts = { added: 0, removed: 0, changed: 0 };
    await this.withDatabases(sources, ([before = '', after = ''], temporary) =>
      this.reading('comparing', async (onProgress) => {
        const entriesOf = async (path: string, name: string) => {
          const directory = `${temporary}/${name}`;
          await nodeFs.makeDirectory(directory, { mode: 0o700 });
          return liveEntries(nodeFs, path, { temporary: directory, onProgress });
        };
        const left = await entriesOf(before, 'before');
        const right = await entriesOf(after, 'after');
        let waiting: string[] = [];
        for await (const difference of differences(left, right, { comparesRevisions })) {
          counts[difference.kind]++;
          waiting.push(asJson ? differenceJson(difference) : differenceText(difference));
          if (waiting.length < BATCH_LINES) continue;
          await this.write(`${waiting.join('\n')}\n`);
          waiting = [];
        }
        waiting.push(summary(counts, asJson));
        await this.write(`${waiting.join('\n')}\n`);
      }),
    );
    return counts;
  }
}

function summary(counts: Readonly<Record<KeyDifference['kind'], number>>, asJson: boolean): string {
  const { added, removed, changed } = counts;
  if (!asJson) return `${added} added, ${removed} removed, ${changed} changed`;
  const json = new JsonObject()
    .requiredNumber('added', added)
    .requiredNumber('removed', removed)
    .requiredNumber('changed', changed);
  return new JsonObject().raw('summary', json.toString()).toString();
}

function differenceText(difference: KeyDifference): string {
  const key = quoteGo(Buffer.from(difference.key, 'latin1'));
  switch (difference.kind) {
    case 'added':
      return `+ ${key} (${entryText(difference.after)})`;
    case 'removed':
      return `- ${key} (${entryText(difference.before)})`;
    case 'changed':
      return `~ ${key} (${entryText(difference.before)} -> ${entryText(difference.after)})`;
  }
}

function entryText({ modRevision, version, valueBytes, lease }: LiveEntry): string {
  const attached = lease === 0n ? '' : `, lease ${lease.toString(16)}`;
  return `revision ${modRevision}, version ${version}, ${valueBytes} bytes${attached}`;
}

function differenceJson(difference: KeyDifference): string {
  const { kind, key } = difference;
  const json = new JsonObject()
    .requiredString('kind', kind)
    .raw('key', `"${Buffer.from(key, 'latin1').toString('base64')}"`);
  if (difference.kind !== 'added') json.raw('before', entryJson(difference.before));
  if (difference.kind !== 'removed') json.raw('after', entryJson(difference.after));
  return json.toString();
}

function entryJson(entry: LiveEntry): string {
  return new JsonObject()
    .requiredNumber('create_revision', entry.createRevision)
    .requiredNumber('mod_revision', entry.modRevision)
    .requiredNumber('version', entry.version)
    .number('lease', entry.lease)
    .requiredNumber('bytes', entry.valueBytes)
    .requiredString('sha256', Buffer.from(entry.valueHash, 'latin1').toString('hex'))
    .toString();
}

function trouble(error: unknown): unknown {
  if (error instanceof CommandFailure && error.exitCode === ExitCode.BadFeature) return error;
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof CommandFailure ? error.hint : undefined;
  return new CommandFailure(EXIT_TROUBLE, message, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
