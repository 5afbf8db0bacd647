import { join } from 'node:path';
import { humanizeBytes } from '../base/go-format.js';
import type { ParsedArguments } from '../cli/args/flag-set.js';
import { valueFlag } from '../cli/args/flags.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Face, Section } from '../cli/faces.js';
import { fileFailure, OfflineCommand } from '../cli/offline-command.js';
import { ProgressLine } from '../cli/progress-line.js';
import { ToolLogger } from '../cli/tool-log.js';
import type { ExportTarget } from '../offline/export/export-data-directory.js';
import { acquireDirectoryLock, DirectoryLockedError } from '../platform/directory-lock.js';
import { isSystemError } from '../platform/errno.js';
import { nodeClock } from '../platform/node-clock.js';
import { nodeFs } from '../platform/node-fs.js';

const FLAGS = {
  'wal-dir': valueFlag('string', '', "Path to the member's WAL directory, if it has its own"),
  'target-version': valueFlag(
    'string',
    '3.5',
    'Oldest etcd that is to serve the directory: 3.4, or 3.5 and later',
  ),
};

/** `export`: the way from a data directory of ours to one of a real etcd. */
export default class Export extends OfflineCommand<typeof FLAGS> {
  static override summary = 'Makes a data directory that etcd serves from one of etcdkit';
  static override description =
    'Makes a data directory that etcd (3.4 or later) serves from one of etcdkit, whose server must be stopped: the same member of the same cluster, with all keys, revisions, leases, users and roles. The new directory is checked before it gets its name; the old one stays as it is.';
  static override usage = 'export <data-dir> <output dir> [options]';
  static override section: Section = 'Cluster maintenance commands';
  static override faces: readonly Face[] = ['etcdkit'];
  static override flags = FLAGS;

  protected override async execute({
    flags,
    positionals,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const [dataDirectory, outputDirectory] = positionals;
    if (dataDirectory === undefined || outputDirectory === undefined || positionals.length !== 2) {
      throw badArguments('export requires two arguments: <data-dir> <output dir>');
    }
    const target = targetOf(flags['target-version']);
    const walDirectory = flags['wal-dir'] || join(dataDirectory, 'member', 'wal');
    const { exportDataDirectory, ...errors } = await import(
      '../offline/export/export-data-directory.js'
    );
    const { decodeMember } = await import('../server/membership/member.js');
    const progress = new ProgressLine(this.terminal, nodeClock, 'exporting');
    const logger = new ToolLogger(this.terminal, 'info', undefined, 'export.ts');
    logger.info('exporting data directory', { from: dataDirectory, to: outputDirectory });
    try {
      const { index, term, entries, bytes } = await exportDataDirectory({
        fs: nodeFs,
        clock: nodeClock,
        logger,
        dataDirectory,
        walDirectory,
        outputDirectory,
        target,
        decodeMember,
        takeDirectory: acquireDirectoryLock,
        onProgress: (done, total) => progress.update(done, total),
      });
      progress.end();
      logger.info('exported data directory', {
        to: outputDirectory,
        'raft-index': index,
        'raft-term': term,
        'entries-behind': entries,
        size: humanizeBytes(bytes),
      });
    } catch (error) {
      throw exportFailure(error, errors);
    } finally {
      progress.end();
    }
  }
}

function badArguments(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}

function targetOf(text: string): ExportTarget {
  if (text === '3.4') return '3.4';
  // Data of 3.5 are what later releases take up and bring to their own form.
  if (text === '3.5' || text === '3.6' || text === '3.7') return '3.5';
  throw badArguments(`unknown --target-version "${text}": it is 3.4, 3.5, 3.6 or 3.7`);
}

type ExportErrors = Pick<
  typeof import('../offline/export/export-data-directory.js'),
  'ExportError' | 'RestoreError' | 'BackendOpenError' | 'BboltError' | 'WalError'
>;

function exportFailure(error: unknown, errors: ExportErrors): unknown {
  const isKnown =
    error instanceof DirectoryLockedError ||
    Object.values(errors).some((known) => error instanceof known);
  if (isKnown && error instanceof Error) {
    return new CommandFailure(ExitCode.Error, error.message, { cause: error });
  }
  if (!isSystemError(error)) return error;
  return fileFailure(error.syscall ?? 'export', error.path ?? '', error);
}
