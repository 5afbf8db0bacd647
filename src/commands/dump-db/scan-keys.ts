import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { parseGoInt } from '../../cli/args/flag-values.js';
import { DumpCommand } from '../../cli/dump-command.js';
import { decodedJson, decodedText } from '../../cli/dump-rows.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { JsonObject } from '../../cli/printers/go-json.js';
import type { Row } from '../../offline/database.js';
import { decodeRow } from '../../offline/decode-row.js';
import { isRevisionKey } from '../../offline/keyspace.js';
import { DatabaseRowError } from '../../offline/row-error.js';
import { isBucketName, scanLeaves } from '../../offline/scan-keys.js';
import { nodeFs } from '../../platform/node-fs.js';

type NoFlags = Record<string, never>;

/** Where a row was found. */
interface Place {
  readonly page: number;
  readonly index: number;
  readonly last: number;
}

/** `dump-db scan-keys` (reference: cli 12). */
export default class ScanKeys extends DumpCommand<NoFlags> {
  static override summary =
    'scan-keys scans all the key-value pairs starting from a specific revision in the key space.';
  static override usage = 'dump-db scan-keys [data dir or db file path] [start revision]';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcd-dump-db'];

  protected override async execute({ positionals }: ParsedArguments<NoFlags>): Promise<void> {
    const [path = '', start = ''] = this.requireArguments(positionals, 2, '2 arguments');
    const asJson = this.requireFormat('simple', 'json') === 'json';
    const from = startRevision(start);
    await this.dumping(path, () => this.writeLines(this.#scan(path, from, asJson)));
  }

  async *#scan(path: string, from: number, asJson: boolean): AsyncGenerator<string> {
    for await (const scanned of scanLeaves(nodeFs, path)) {
      const { page } = scanned;
      if ('problem' in scanned) {
        this.terminal.error(`Reading page ${page} failed: ${scanned.problem}. Continuing...\n`);
        continue;
      }
      const last = scanned.rows.length - 1;
      for (const [index, row] of scanned.rows.entries()) {
        if (isBucketName(row[0])) break;
        const line = this.#line(row, from, { page, index, last }, asJson);
        if (line !== undefined) yield line;
      }
    }
  }

  /** Undefined for a row that is not to be shown. */
  #line(row: Row, from: number, place: Place, asJson: boolean): string | undefined {
    const [key] = row;
    if (!isRevisionKey(key))
      return this.#complain(key, place, `invalid revision length: ${key.length}`);
    try {
      const decoded = decodeRow('', 'key', row);
      if (decoded.kind === 'key' && decoded.main < from) return undefined;
      const { page, index, last } = place;
      if (!asJson) return `pageID=${page}, index=${index}/${last}, ${decodedText(decoded)}`;
      const json = decodedJson(decoded).toString();
      const site = new JsonObject().requiredNumber('page', page).requiredNumber('index', index);
      return `${site.toString().slice(0, -1)},${json.slice(1)}`;
    } catch (error) {
      if (!(error instanceof DatabaseRowError)) throw error;
      return this.#complain(key, place, error.reason);
    }
  }

  #complain(key: Buffer, { page, index }: Place, reason: string): undefined {
    this.terminal.error(
      `Decoding revision failed, pageID: ${page}, index: ${index}, key: ${key.toString('hex')}, error: ${reason}\n`,
    );
  }
}

function startRevision(text: string): number {
  try {
    return Number(parseGoInt(text, 10));
  } catch (error) {
    throw new CommandFailure(ExitCode.Error, (error as Error).message, { cause: error });
  }
}
