import { formatGoMillis } from '../base/go-format.js';
import type { ParsedArguments } from '../cli/args/flag-set.js';
import { boolFlag } from '../cli/args/flags.js';
import { ClientCommand } from '../cli/client-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Section } from '../cli/faces.js';
import { targetEndpoints } from '../cli/target-endpoints.js';
import { errorText } from '../client/errors.js';
import { nodeClock } from '../platform/node-clock.js';

const FLAGS = { cluster: boolFlag('use all endpoints from the cluster member list') };

/** `defrag` of running members, one after another (reference: cli 5.6). */
export default class Defrag extends ClientCommand<typeof FLAGS> {
  static override summary = 'Defragments the storage of the etcd members with given endpoints';
  static override usage = 'defrag';
  static override section: Section = 'Cluster maintenance commands';
  static override flags = FLAGS;

  protected override async execute({ flags }: ParsedArguments<typeof FLAGS>): Promise<void> {
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
}
