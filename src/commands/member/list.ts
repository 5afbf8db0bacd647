import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { valueFlag } from '../../cli/args/flags.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';

const FLAGS = { consistency: valueFlag('string', 'l', 'Linearizable(l) or Serializable(s)') };

/** `member list` (reference: cli 5.1). */
export default class MemberList extends ClientCommand<typeof FLAGS> {
  static override summary = 'Lists all members in the cluster';
  static override description =
    `When --write-out is set to simple, this command prints out comma-separated member lists for each endpoint.
The items in the lists are ID, Status, Name, Peer Addrs, Client Addrs, Is Learner.`;
  static override usage = 'member list';
  static override section: Section = 'Cluster maintenance commands';
  static override flags = FLAGS;

  protected override async execute({ flags }: ParsedArguments<typeof FLAGS>): Promise<void> {
    if (flags.consistency !== 'l' && flags.consistency !== 's') {
      // Trap: etcdctl shows the default of `get --consistency` here, not the value given.
      throw new CommandFailure(ExitCode.BadFeature, 'unknown consistency flag "l"');
    }
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const response = await client.cluster.memberList(flags.consistency === 'l', options);
      this.terminal.out(printer.memberList(response));
    });
  }
}
