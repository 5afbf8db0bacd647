import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag, valueFlag } from '../../cli/args/flags.js';
import { DumpCommand } from '../../cli/dump-command.js';
import { decodedJson, decodedText, rowJson, rowText } from '../../cli/dump-rows.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { type Database, findBucket, type Row, readDatabase } from '../../offline/database.js';
import { decodeRow } from '../../offline/decode-row.js';
import { nodeFs } from '../../platform/node-fs.js';

const FLAGS = {
  limit: valueFlag('uint', '0', 'max number of key-value pairs to iterate (0< to iterate all)'),
  decode: boolFlag('true to decode Protocol Buffer encoded data'),
};

/** `dump-db iterate-bucket` (reference: cli 12). */
export default class IterateBucket extends DumpCommand<typeof FLAGS> {
  static override summary = 'iterate-bucket lists key-value pairs in reverse order.';
  static override usage = 'dump-db iterate-bucket [data dir or db file path] [bucket name]';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcd-dump-db'];
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const { flags, positionals } = input;
    const text = '2 arguments';
    const [path = '', bucket = ''] = this.requireArguments(positionals, 2, text);
    const asJson = this.requireFormat('simple', 'json') === 'json';
    const limit = flags.limit === 0n ? Number.POSITIVE_INFINITY : Number(flags.limit);
    await this.dumping(path, () =>
      readDatabase(nodeFs, path, (database) => {
        const show = (row: Row): string => {
          if (!flags.decode) return asJson ? rowJson(row).toString() : rowText(row);
          const decoded = decodeRow(database.path, bucket, row);
          return asJson ? decodedJson(decoded).toString() : decodedText(decoded);
        };
        return this.writeLines(lines(database, bucket, limit, show));
      }),
    );
  }
}

async function* lines(
  database: Database,
  name: string,
  limit: number,
  show: (row: Row) => string,
): AsyncGenerator<string> {
  const bucket = await findBucket(database, name);
  if (bucket === undefined) {
    throw new CommandFailure(ExitCode.Error, `got nil bucket for ${name}`);
  }
  let left = limit;
  // Trap: etcd-dump-db goes from the last key to the first.
  for await (const rows of bucket.rows({ reverse: true })) {
    for (const row of rows) {
      if (left-- <= 0) return;
      yield show(row);
    }
  }
}
