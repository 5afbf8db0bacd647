import { formatGoMillis, humanizeBytes } from '../base/go-format.js';
import {
  type DatabaseSize,
  defragmentDataDirectory,
  memberDatabase,
} from '../offline/defragment.js';
import { isSystemError } from '../platform/errno.js';
import { fileErrorText } from '../platform/file-error-text.js';
import { FileLockError } from '../platform/file-lock.js';
import { nodeClock } from '../platform/node-clock.js';
import { CommandFailure, ExitCode } from './exit.js';
import { ProgressLine } from './progress-line.js';
import type { Terminal } from './terminal.js';
import { consoleLine, ToolLogger } from './tool-log.js';

/** etcdutl panics if it doesn't get the lock of a database; a Go program then exits with 2. */
const EXIT_LOCKED = 2;

export interface OfflineDefragOptions {
  readonly dataDirectory: string;
  readonly lockTimeoutMillis: number;
  /** Log in columns, as etcdutl does; default in JSON lines. */
  readonly logsColumns: boolean;
}

/**
 * `defrag --data-dir` (reference: cli 10.3).
 * @throws CommandFailure
 */
export async function defragOffline(
  terminal: Terminal,
  { dataDirectory, lockTimeoutMillis, logsColumns }: OfflineDefragOptions,
): Promise<void> {
  const encoder = logsColumns ? [consoleLine] : [];
  const caller = 'offline/defragment.ts';
  const logger = new ToolLogger(terminal, 'info', undefined, caller, ...encoder);
  const progress = new ProgressLine(terminal, nodeClock, 'defragmenting');
  const started = nodeClock.monotonicMillis();
  try {
    const { path } = await memberDatabase(dataDirectory);
    let before: DatabaseSize = { total: 0, inUse: 0 };
    const after = await defragmentDataDirectory(dataDirectory, {
      lockTimeoutMillis,
      onStart(size) {
        before = size;
        logger.info('defragmenting', { path, ...sizeFields(size) });
      },
      onProgress: (read, total) => progress.update(read, total),
    });
    const difference = (name: keyof DatabaseSize) => after[name] - before[name];
    const fields = sizeFields(after);
    logger.info('finished defragmenting directory', {
      path,
      'current-db-size-bytes-diff': difference('total'),
      'current-db-size-bytes': fields['current-db-size-bytes'],
      'current-db-size': fields['current-db-size'],
      'current-db-size-in-use-bytes-diff': difference('inUse'),
      'current-db-size-in-use-bytes': fields['current-db-size-in-use-bytes'],
      'current-db-size-in-use': fields['current-db-size-in-use'],
      took: formatGoMillis(nodeClock.monotonicMillis() - started),
    });
  } catch (error) {
    const exitCode = error instanceof FileLockError ? EXIT_LOCKED : ExitCode.Error;
    const message = `Failed to defragment etcd data[${dataDirectory}] (${failureText(error)})`;
    throw new CommandFailure(exitCode, message, { cause: error });
  } finally {
    progress.end();
  }
}

function sizeFields({ total, inUse }: DatabaseSize) {
  return {
    'current-db-size-bytes': total,
    'current-db-size': humanizeBytes(total),
    'current-db-size-in-use-bytes': inUse,
    'current-db-size-in-use': humanizeBytes(inUse),
  };
}

function failureText(error: unknown): string {
  if (isSystemError(error)) return fileErrorText(error.syscall ?? 'open', error.path ?? '', error);
  return error instanceof Error ? error.message : String(error);
}
