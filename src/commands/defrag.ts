import { formatGoMillis } from '../base/go-format.js';
import type { ParsedArguments } from '../cli/args/flag-set.js';
import { boolFlag, valueFlag } from '../cli/args/flags.js';
import { ClientCommand } from '../cli/client-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Face, Section } from '../cli/faces.js';
import { targetEndpoints } from '../cli/target-endpoints.js';
import { errorText } from '../client/errors.js';
import { nodeClock } from '../platform/node-clock.js';

const FLAGS = {
  cluster: boolFlag('use all endpoints from the cluster member list'),
  'data-dir': valueFlag(
    'string',
    '',
    'Optional. If present, defragments a data directory not in use by etcd.',
  ),
};

/** Where etcdctl has no `--timeout`: how long to wait for the lock of a file, milliseconds. */
const LOCK_TIMEOUT_MILLIS = 10_000;

/**
 * `defrag` of running members, one after another (reference: cli 5.6), or of a data directory that
 * no server uses: all that etcdutl does (reference: cli 10.3), and etcdctl did before 3.6.
 */
export default class Defrag extends ClientCommand<typeof FLAGS> {
  static override summary = 'Defragments the storage of the etcd members with given endpoints';
  static override description =
    'Defragments the storage of the etcd members with given endpoints, or with --data-dir that of a data directory which no server uses.';
  static override usage = 'defrag';
  static override section: Section = 'Cluster maintenance commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcdctl', 'etcdutl'];
  static override flags = FLAGS;

  protected override async execute({ flags }: ParsedArguments<typeof FLAGS>): Promise<void> {
    if (flags['data-dir'] !== '') return this.#defragDirectory(flags['data-dir']);
    if (this.invocation.face === 'etcdutl') {
      throw new CommandFailure(ExitCode.Error, 'required flag(s) "data-dir" not set');
    }
    await this.withSession(async (session) => {
      let failed = false;
      for (const endpoint of await targetEndpoints(session, flags.cluster)) {
        const client = await session.client([endpoint]);
        const started = nodeClock.monotonicMillis();
        const took = () => formatGoMillis(nodeClock.monotonicMillis() - started);
        try {
          await client.maintenance.defragment(session.deadline());
          this.terminal.out(`Finished defragmenting etcd member[${endpoint}]. took ${took()}\n`);
        } catch (error) {
          failed = true;
          this.terminal.error(
            `Failed to defragment etcd member[${endpoint}]. took ${took()}. (${errorText(error)})\n`,
          );
          this.tellBrokenLayer(error);
        }
      }
      if (failed) throw new CommandFailure(ExitCode.Error);
    });
  }

  async #defragDirectory(dataDirectory: string): Promise<void> {
    const { timeout = LOCK_TIMEOUT_MILLIS } = this.parsedArguments.flags;
    const { defragOffline } = await import('../cli/offline-defrag.js');
    await defragOffline(this.terminal, {
      dataDirectory,
      // The declared kind of etcdutl's flag makes this a number.
      lockTimeoutMillis: Number(timeout),
      logsColumns: this.invocation.face !== 'etcdctl',
    });
  }
}
