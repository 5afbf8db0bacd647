import { formatGoMillis, humanizeBytes } from '../../base/go-format.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { ProgressLine } from '../../cli/progress-line.js';
import { callFailure, type Session } from '../../cli/session.js';
import { ToolLogger } from '../../cli/tool-log.js';
import type { Client } from '../../client/client.js';
import { SnapshotChecksum } from '../../offline/snapshot-checksum.js';
import { SnapshotFile, SnapshotSaveError } from '../../offline/snapshot-save.js';
import { nodeClock } from '../../platform/node-clock.js';
import { nodeFs } from '../../platform/node-fs.js';
import type { SnapshotResponse } from '../../proto/gen/etcdserverpb/rpc.js';

type NoFlags = Record<string, never>;

/** Means standard output, where etcdctl would make a file of that name. */
const STDOUT = '-';

/** Where the bytes of a snapshot go. */
interface Destination {
  write(blob: Uint8Array): Promise<void>;
  finish(): Promise<void>;
}

/** `snapshot save` (reference: cli 5.7). */
export default class SnapshotSave extends ClientCommand<NoFlags> {
  static override summary = 'Stores an etcd node backend snapshot to a given file';
  static override description =
    'Stores an etcd node backend snapshot to a given file, or writes it to standard output if that is -.';
  static override usage = 'snapshot save <filename>';
  static override section: Section = 'Cluster maintenance commands';

  protected override readonly loggerName = 'client';

  protected override async execute({ positionals }: ParsedArguments<NoFlags>): Promise<void> {
    const [path] = positionals;
    if (path === undefined || positionals.length !== 1) {
      const message = 'snapshot save expects one argument <filename>';
      throw new CommandFailure(ExitCode.BadArguments, message);
    }
    await this.withSession(async (session) => {
      try {
        await this.#save(session, path);
      } catch (error) {
        throw interrupted(error);
      }
    });
  }

  async #save(session: Session, path: string): Promise<void> {
    const { endpoints } = session;
    if (endpoints.length !== 1) {
      throw new SnapshotSaveError(
        `snapshot must be requested to one selected node, not multiple [${endpoints.join(' ')}]`,
      );
    }
    const client = await session.client();
    if (path === STDOUT) {
      const version = await this.#fetch(session, client, this.#stdout());
      this.terminal.error(savedText('standard output', version));
      return;
    }
    const file = await SnapshotFile.create(nodeFs, path);
    const logger = this.#logger();
    logger.info('created temporary db file', { path: file.partPath });
    let version: string;
    try {
      version = await this.#fetch(session, client, file);
    } catch (error) {
      await file.discard();
      throw error;
    }
    logger.info('saved', { path });
    this.terminal.out(savedText(path, version));
  }

  /** The result is the version of the server's storage, empty if it has none. */
  async #fetch(session: Session, client: Client, destination: Destination): Promise<string> {
    const logger = this.#logger();
    const clientLogger = logger.named('client').at('client/maintenance-client.ts');
    const [endpoint] = session.endpoints;
    const started = nodeClock.monotonicMillis();
    const responses = client.maintenance.snapshot(
      session.deadline(this.#hasTimeout() ? 'after-setup' : 'none'),
    );
    clientLogger.info('opened snapshot stream; downloading');
    logger.info('fetching snapshot', { endpoint });
    const { size, version } = await this.#copy(responses, destination);
    clientLogger.info('completed snapshot read; closing');
    await destination.finish();
    logger.info('fetched snapshot', {
      endpoint,
      size: humanizeBytes(size),
      took: formatGoMillis(nodeClock.monotonicMillis() - started),
      'etcd-version': version,
    });
    return version;
  }

  async #copy(
    responses: AsyncIterable<SnapshotResponse>,
    destination: Destination,
  ): Promise<{ size: number; version: string }> {
    const progress = new ProgressLine(this.terminal, nodeClock, 'fetching snapshot');
    const showsProgress = this.parsedArguments.flags['write-out'] !== 'json';
    let size = 0;
    let version: string | undefined;
    try {
      for await (const response of responses) {
        version ??= response.version;
        size += response.blob.length;
        await destination.write(response.blob);
        if (showsProgress) progress.update(size, size + response.remainingBytes);
      }
    } catch (error) {
      const hasBegun = version !== undefined && !(error instanceof SnapshotSaveError);
      if (!hasBegun) throw error;
      throw callFailure(error, ExitCode.Interrupted, (text) => `could not write snapshot: ${text}`);
    } finally {
      progress.end();
    }
    return { size, version: version ?? '' };
  }

  /** Standard output can't be taken back, but a wrong checksum is still told. */
  #stdout(): Destination {
    const checksum = new SnapshotChecksum();
    return {
      write: async (blob) => {
        checksum.update(blob);
        await this.write(blob);
      },
      finish: async () => {
        const problem = checksum.problem();
        if (problem !== undefined) throw new SnapshotSaveError(problem);
      },
    };
  }

  /** Saving takes as long as it takes, unless somebody sets a limit. */
  #hasTimeout(): boolean {
    const variable = this.terminal.environment.ETCDCTL_COMMAND_TIMEOUT ?? '';
    return this.parsedArguments.given.has('command-timeout') || variable !== '';
  }

  #logger(): ToolLogger {
    return new ToolLogger(this.terminal, 'info', undefined, 'snapshot/save.ts');
  }
}

function savedText(where: string, version: string): string {
  const saved = `Snapshot saved at ${where}\n`;
  return version === '' ? saved : `${saved}Server version ${version}\n`;
}

/** Trap: whatever goes wrong once the arguments are right, etcdctl exits with 5. */
function interrupted(error: unknown): CommandFailure {
  const failure = callFailure(error);
  return new CommandFailure(ExitCode.Interrupted, failure.message, {
    cause: failure.cause,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
  });
}
