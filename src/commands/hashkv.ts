import type { ParsedArguments } from '../cli/args/flag-set.js';
import { valueFlag } from '../cli/args/flags.js';
import { DatabaseCommand } from '../cli/database-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Face, Section } from '../cli/faces.js';
import { fileHashKv } from '../offline/file-hash-kv.js';
import { nodeFs } from '../platform/node-fs.js';

const FLAGS = {
  rev: valueFlag('int', '0', 'maximum revision to hash (default: latest revision)'),
};

/** `hashkv` of a file (reference: cli 10.4). */
export default class HashKv extends DatabaseCommand<typeof FLAGS> {
  static override summary = 'Prints the KV history hash of a given file';
  static override description =
    'Prints the KV history hash of a database file, a snapshot or a data directory: the one that a member with this database answers. The file is only read; a server may use it.';
  static override usage = 'hashkv <filename>';
  static override section: Section = 'Cluster maintenance commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcdutl'];
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const { positionals, flags } = input;
    const [path] = positionals;
    if (path === undefined || positionals.length !== 1) {
      const message = `accepts 1 arg(s), received ${positionals.length}`;
      throw new CommandFailure(ExitCode.Error, message);
    }
    await this.print(async (printer) => {
      const { hash, revision, compactRevision } = await this.reading(
        'hashing',
        async (onProgress) => fileHashKv(nodeFs, path, flags.rev, { onProgress }),
      );
      return printer.fileHashKv({ hash, hashRevision: revision, compactRevision });
    });
  }
}
