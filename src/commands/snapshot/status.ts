import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { fileFailure, OfflineCommand } from '../../cli/offline-command.js';
import { ProgressLine } from '../../cli/progress-line.js';
import { HASH_THREAD_PROGRAM, LEAST_BYTES, provesTrailingHash } from '../../offline/hash-thread.js';
import {
  BboltError,
  SnapshotChecksumError,
  type SnapshotSummary,
  snapshotStatus,
  summaryBefore36,
} from '../../offline/snapshot-status.js';
import { isErrno, isSystemError } from '../../platform/errno.js';
import { nodeClock } from '../../platform/node-clock.js';
import { nodeFs } from '../../platform/node-fs.js';
import { workerProgram } from '../../platform/worker-program.js';

type NoFlags = Record<string, never>;

/** Uses another core for the hash of a large file. */
async function provesHash(path: string, bytes: number, signal: AbortSignal): Promise<boolean> {
  const program = bytes < LEAST_BYTES ? undefined : workerProgram(HASH_THREAD_PROGRAM);
  return program !== undefined && provesTrailingHash(program, path, signal);
}

/** `snapshot status` (reference: cli 10.1). */
export default class SnapshotStatusCommand extends OfflineCommand<NoFlags> {
  static override summary = 'Gets backend snapshot status of a given file';
  static override description =
    `When --write-out is set to simple, this command prints out comma-separated status lists for each endpoint.
The items in the lists are hash, revision, total keys, total size, version.`;
  static override usage = 'snapshot status <filename>';
  static override section: Section = 'Cluster maintenance commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcdctl', 'etcdutl'];

  protected override async execute({ positionals }: ParsedArguments<NoFlags>): Promise<void> {
    const [path] = positionals;
    if (path === undefined || positionals.length !== 1) {
      const message = 'snapshot status requires exactly one argument';
      throw new CommandFailure(ExitCode.BadArguments, message);
    }
    await this.print(async (printer) =>
      printer.snapshotStatus(await this.#status(path, printer.format !== 'json')),
    );
  }

  async #status(path: string, showsProgress: boolean): Promise<SnapshotSummary> {
    const progress = new ProgressLine(this.terminal, nodeClock, 'reading snapshot');
    const onProgress = (read: number, total: number) => progress.update(read, total);
    try {
      const status = await snapshotStatus(nodeFs, path, {
        provesHash,
        ...(showsProgress ? { onProgress } : {}),
      });
      // The etcdctl of 3.6 and later has no such command.
      return this.invocation.face === 'etcdctl' ? summaryBefore36(status) : status;
    } catch (error) {
      if (error instanceof BboltError) {
        const message = `snapshot file integrity check failed. 1 errors found.\n${error.message}`;
        throw new CommandFailure(ExitCode.Error, message, { cause: error });
      }
      if (error instanceof SnapshotChecksumError) {
        throw new CommandFailure(ExitCode.Error, error.message, { cause: error });
      }
      if (!isSystemError(error)) throw error;
      throw fileFailure(isErrno(error, 'ENOENT') ? 'stat' : 'open', path, error);
    } finally {
      progress.end();
    }
  }
}
