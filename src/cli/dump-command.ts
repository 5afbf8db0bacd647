import { isErrno } from '../platform/errno.js';
import type { Flags } from './args/flags.js';
import { DatabaseCommand } from './database-command.js';
import { CommandFailure, ExitCode } from './exit.js';

/** Lines that are collected before they are written. */
const BATCH_LINES = 500;

/** A command of etcd-dump-db (reference: cli 12): `simple` and `json`, which is one object a line. */
export abstract class DumpCommand<Declared extends Flags> extends DatabaseCommand<Declared> {
  /** @throws CommandFailure in etcd-dump-db's words */
  protected requireArguments(
    positionals: readonly string[],
    count: number,
    text: string,
  ): readonly string[] {
    if (positionals.length >= count) return positionals;
    const message = `Must provide ${text} (got [${positionals.join(' ')}])`;
    throw new CommandFailure(ExitCode.Error, message);
  }

  /** Writes lines as they come; a slow reader holds them up. */
  protected async writeLines(lines: AsyncIterable<string>): Promise<void> {
    let waiting: string[] = [];
    try {
      for await (const line of lines) {
        waiting.push(`${line}\n`);
        if (waiting.length < BATCH_LINES) continue;
        await this.write(waiting.join(''));
        waiting = [];
      }
    } finally {
      await this.write(waiting.join(''));
    }
  }

  /** `work` with etcd-dump-db's text for a path that is not there. */
  protected async dumping(path: string, work: () => Promise<void>): Promise<void> {
    await this.reading('reading', async () => {
      try {
        await work();
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error;
        throw new CommandFailure(ExitCode.Error, `"${path}" does not exist`, { cause: error });
      }
    });
  }
}
