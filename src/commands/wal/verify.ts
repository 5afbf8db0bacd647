import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { DatabaseCommand } from '../../cli/database-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { logVerdictJson, logVerdictText } from '../../cli/logs/log-verdict.js';
import { verifyLog } from '../../offline/logs/verify-log.js';
import { nodeFs } from '../../platform/node-fs.js';

type NoFlags = Record<string, never>;

/** `wal verify`: no such command in etcd. */
export default class WalVerify extends DatabaseCommand<NoFlags> {
  static override summary = 'Checks every record of a write-ahead log, and says what can be saved';
  static override description =
    'Checks every record of the write-ahead log of a data directory, or of a WAL directory: checksums, order of files, entries, terms and commits, and the .snap files. Of a damaged log it names file, offset and record of the first damage and says what can be saved; the exit code is 1 then. An end that a crash tore is told, but is no damage: the next start cuts it off.';
  static override usage = 'wal verify <data dir or WAL dir>';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit'];

  protected override async execute({ positionals }: ParsedArguments<NoFlags>): Promise<void> {
    const path = singleArgument(positionals, 'wal verify requires exactly one argument');
    const format = this.requireFormat('simple', 'json');
    const verdict = await this.reading('verifying', (onProgress) =>
      verifyLog(nodeFs, path, onProgress),
    );
    await this.write(format === 'json' ? `${logVerdictJson(verdict)}\n` : logVerdictText(verdict));
    if (!verdict.isSound) throw new CommandFailure(ExitCode.Error);
  }
}
