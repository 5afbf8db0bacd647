import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { DumpCommand } from '../../cli/dump-command.js';
import type { Face, Section } from '../../cli/faces.js';
import { JsonObject } from '../../cli/printers/go-json.js';
import { databasePath } from '../../offline/database.js';
import { fileHash } from '../../offline/file-hash.js';
import { nodeFs } from '../../platform/node-fs.js';

type NoFlags = Record<string, never>;

/** `dump-db hash` (reference: cli 12). */
export default class Hash extends DumpCommand<NoFlags> {
  static override summary = 'hash computes the hash of db file.';
  static override usage = 'dump-db hash [data dir or db file path]';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcd-dump-db'];

  protected override async execute({ positionals }: ParsedArguments<NoFlags>): Promise<void> {
    const [path = ''] = this.requireArguments(positionals, 1, 'at least 1 argument');
    const format = this.requireFormat('simple', 'json');
    await this.dumping(path, async () => {
      const file = await databasePath(nodeFs, path);
      const hash = await this.reading('hashing', (onProgress) =>
        fileHash(nodeFs, file, onProgress),
      );
      const json = new JsonObject().requiredString('path', file).requiredNumber('hash', hash);
      const text = format === 'json' ? json.toString() : `db path: ${file}\nHash: ${hash}`;
      await this.write(`${text}\n`);
    });
  }
}
