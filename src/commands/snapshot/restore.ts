import { join } from 'node:path';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag, valueFlag } from '../../cli/args/flags.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Face, Section } from '../../cli/faces.js';
import { undoneBySignals } from '../../cli/interruption.js';
import { fileFailure, OfflineCommand } from '../../cli/offline-command.js';
import { ProgressLine } from '../../cli/progress-line.js';
import { consoleLine, ToolLogger } from '../../cli/tool-log.js';
import type { RestoreFormat } from '../../offline/snapshot-restore.js';
import { acquireDirectoryLock, DirectoryLockedError } from '../../platform/directory-lock.js';
import { isSystemError } from '../../platform/errno.js';
import { nodeClock } from '../../platform/node-clock.js';
import { nodeFs } from '../../platform/node-fs.js';

const LOCAL_PEER = 'http://localhost:2380';

const FLAGS = {
  'data-dir': valueFlag('string', '', 'Path to the output data directory'),
  'wal-dir': valueFlag('string', '', 'Path to the WAL directory (use --data-dir if none given)'),
  'initial-cluster': valueFlag(
    'string',
    `default=${LOCAL_PEER}`,
    'Initial cluster configuration for restore bootstrap',
  ),
  'initial-cluster-token': valueFlag(
    'string',
    'etcd-cluster',
    'Initial cluster token for the etcd cluster during restore bootstrap',
  ),
  'initial-advertise-peer-urls': valueFlag(
    'string',
    LOCAL_PEER,
    "List of this member's peer URLs to advertise to the rest of the cluster",
  ),
  name: valueFlag('string', 'default', 'Human-readable name for this member'),
  'skip-hash-check': boolFlag(
    'Ignore snapshot integrity hash value (required if copied from data directory)',
  ),
  'initial-memory-map-size': valueFlag(
    'uint',
    '10737418240',
    'Initial memory map size of the database in bytes. It uses the default value if not defined or defined to 0',
  ),
  'bump-revision': valueFlag('uint', '0', 'How much to increase the latest revision after restore'),
  'mark-compacted': boolFlag(
    'Mark the latest revision after restore as the point of scheduled compaction (required if --bump-revision > 0, disallowed otherwise)',
  ),
  format: valueFlag(
    'string',
    'etcdkit',
    'Who will serve the directory: etcdkit, or etcd (then with a bbolt file that etcd can open)',
  ),
};

type RestoreFlags = ParsedArguments<typeof FLAGS>['flags'];

/** `snapshot restore` (reference: cli 10.2). */
export default class SnapshotRestore extends OfflineCommand<typeof FLAGS> {
  static override summary = 'Restores an etcd member snapshot to an etcd directory';
  static override description = 'Restores an etcd member snapshot to an etcd directory.';
  static override usage = 'snapshot restore <filename> --data-dir {output dir} [options]';
  static override section: Section = 'Cluster maintenance commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcdctl', 'etcdutl'];
  static override flags = FLAGS;

  protected override async execute({
    flags,
    positionals,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const { face } = this.invocation;
    if (face === 'etcdctl') {
      this.terminal.error('Deprecated: Use `etcdutl snapshot restore` instead.\n\n');
    }
    const [path] = positionals;
    if (path === undefined || positionals.length !== 1) {
      throw badArguments('snapshot restore requires exactly one argument');
    }
    if (flags['bump-revision'] > 0n !== flags['mark-compacted']) {
      throw badArguments('--mark-compacted required if --revision-bump > 0');
    }
    await this.#restore(path, flags, formatOf(flags.format));
  }

  async #restore(path: string, flags: RestoreFlags, format: RestoreFormat): Promise<void> {
    const cluster = await plannedCluster(flags);
    const dataDirectory = flags['data-dir'] || `${flags.name}.etcd`;
    const walDirectory = flags['wal-dir'] || join(dataDirectory, 'member', 'wal');
    const { restoreSnapshot, ...errors } = await import('../../offline/snapshot-restore.js');
    const progress = new ProgressLine(this.terminal, nodeClock, 'restoring snapshot');
    const showsProgress = this.parsedArguments.flags['write-out'] !== 'json';
    const run = (signal: AbortSignal) =>
      restoreSnapshot({
        signal,
        fs: nodeFs,
        clock: nodeClock,
        logger: this.#logger(),
        path,
        dataDirectory,
        walDirectory,
        cluster,
        format,
        skipsHashCheck: flags['skip-hash-check'],
        bumpRevision: flags['bump-revision'],
        initialMemoryMapBytes: flags['initial-memory-map-size'],
        takeDirectory: acquireDirectoryLock,
        ...(showsProgress ? { onProgress: (done, total) => progress.update(done, total) } : {}),
      });
    try {
      await undoneBySignals(run);
    } catch (error) {
      throw restoreFailure(error, errors);
    } finally {
      progress.end();
    }
  }

  /** Both faces log the same, each in its form. */
  #logger(): ToolLogger {
    const caller = 'snapshot/restore.ts';
    const encoder = this.invocation.face === 'etcdctl' ? [] : [consoleLine];
    return new ToolLogger(this.terminal, 'info', undefined, caller, ...encoder);
  }
}

function badArguments(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}

function formatOf(text: string): RestoreFormat {
  if (text === 'etcdkit' || text === 'etcd') return text;
  throw badArguments(`unknown --format "${text}": it is etcdkit or etcd`);
}

/** The identities of the members. What is wrong with the flags is told in etcd's words. */
async function plannedCluster(flags: RestoreFlags) {
  const { parseInitialCluster, parseUrlList } = await import('../../server/config/urls.js');
  const { planCluster } = await import('../../server/bootstrap/new-member.js');
  const textsOf = (urls: readonly { readonly text: string }[]) => urls.map(({ text }) => text);
  try {
    const advertised = parseUrlList(flags['initial-advertise-peer-urls']);
    const members = parseInitialCluster(flags['initial-cluster']);
    return planCluster({
      name: flags.name,
      peerUrls: new Map([...members].map(([name, urls]) => [name, textsOf(urls)])),
      advertisedPeerUrls: textsOf(advertised),
      token: flags['initial-cluster-token'],
    });
  } catch (error) {
    // What these two refuse is all wrong input.
    const message = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(ExitCode.Error, message, { cause: error });
  }
}

type RestoreErrors = Pick<
  typeof import('../../offline/snapshot-restore.js'),
  'RestoreError' | 'SnapshotChecksumError' | 'BboltError'
>;

function restoreFailure(
  error: unknown,
  { RestoreError, SnapshotChecksumError, BboltError }: RestoreErrors,
): unknown {
  if (error instanceof DirectoryLockedError) {
    const message = `another restore is at work in ${error.directory}`;
    return new CommandFailure(ExitCode.Error, message, { cause: error });
  }
  if (error instanceof RestoreError) {
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return new CommandFailure(ExitCode.Error, error.message, { cause: error, ...hint });
  }
  const isKnown = error instanceof SnapshotChecksumError || error instanceof BboltError;
  if (isKnown) return new CommandFailure(ExitCode.Error, error.message, { cause: error });
  if (!isSystemError(error)) return error;
  return fileFailure(error.syscall ?? 'restore', error.path ?? '', error);
}
