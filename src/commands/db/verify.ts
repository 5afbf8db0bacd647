import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { DatabaseCommand } from '../../cli/database-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { verdictJson, verdictText } from '../../cli/verdict-text.js';
import { databasePath } from '../../offline/database.js';
import { verifyFile } from '../../offline/verify-file.js';
import { nodeFs } from '../../platform/node-fs.js';

type NoFlags = Record<string, never>;

/** `db verify`: no such command in etcd. */
export default class DbVerify extends DatabaseCommand<NoFlags> {
  static override summary =
    'Checks every page and row of a database file, and says what can be saved';
  static override description =
    'Checks every page and row of a database file, a snapshot or the database of a data directory, and the hash at the end of a snapshot. Of a damaged one it names the place of the first damage and says what can be saved; the exit code is 1 then.';
  static override usage = 'db verify <filename or data dir>';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit'];

  protected override async execute({ positionals }: ParsedArguments<NoFlags>): Promise<void> {
    const path = singleArgument(positionals, 'db verify requires exactly one argument');
    const format = this.requireFormat('simple', 'json');
    const [file, verdict] = await this.reading('verifying', async (onProgress) => {
      const found = await databasePath(nodeFs, path);
      return [found, await verifyFile(nodeFs, found, onProgress)] as const;
    });
    await this.write(format === 'json' ? verdictJson(file, verdict) : verdictText(file, verdict));
    if (!verdict.isSound) throw new CommandFailure(ExitCode.Error);
  }
}
