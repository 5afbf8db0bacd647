import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { DumpCommand } from '../../cli/dump-command.js';
import type { Face, Section } from '../../cli/faces.js';
import { JsonObject } from '../../cli/printers/go-json.js';
import { type Database, readDatabase } from '../../offline/database.js';
import { nodeFs } from '../../platform/node-fs.js';

type NoFlags = Record<string, never>;

/** `dump-db list-bucket` (reference: cli 12). */
export default class ListBucket extends DumpCommand<NoFlags> {
  static override summary = 'bucket lists all buckets.';
  static override usage = 'dump-db list-bucket [data dir or db file path]';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcd-dump-db'];

  protected override async execute({ positionals }: ParsedArguments<NoFlags>): Promise<void> {
    const [path = ''] = this.requireArguments(positionals, 1, 'at least 1 argument');
    const format = this.requireFormat('simple', 'json');
    await this.dumping(path, () =>
      readDatabase(nodeFs, path, (database) => this.writeLines(names(database, format === 'json'))),
    );
  }
}

async function* names(database: Database, asJson: boolean): AsyncGenerator<string> {
  for await (const { name } of database.buckets()) {
    yield asJson ? new JsonObject().requiredString('bucket', name).toString() : name;
  }
}
