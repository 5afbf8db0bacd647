import { logFault, SnapshotLoadError } from '../../offline/logs/open-log.js';
import { isSystemError } from '../../platform/errno.js';
import { fileErrorText } from '../../platform/file-error-text.js';
import { CommandFailure, ExitCode } from '../exit.js';

const HINT = '--raw shows what can be read; etcdkit wal verify says what can be saved';

/** What ended a dump, in etcd-dump-logs' words, with the place that it leaves out. */
export function logFailure(error: unknown, walDirectory: string): unknown {
  if (error instanceof SnapshotLoadError) {
    const { cause, path } = error;
    const text = isSystemError(cause)
      ? fileErrorText('open', cause.path ?? path, cause)
      : error.message;
    return new CommandFailure(ExitCode.Error, `Failed loading snapshot: ${text}`, { cause });
  }
  if (isSystemError(error)) {
    const text = fileErrorText('open', error.path ?? walDirectory, error);
    return new CommandFailure(ExitCode.Error, `Failed opening WAL: ${text}`, { cause: error });
  }
  const fault = logFault(error);
  if (fault === undefined) return error;
  const text = `Failed ${fault.doing} WAL: ${fault.text}`;
  if (!fault.isPlaced) return new CommandFailure(ExitCode.Error, text, { cause: error });
  return new CommandFailure(ExitCode.Error, text, { cause: error, hint: HINT });
}
