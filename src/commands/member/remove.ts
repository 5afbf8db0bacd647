import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';
import { memberIdArgument } from '../../cli/member-id.js';

/** `member remove` (reference: cli 5.1). */
export default class MemberRemove extends ClientCommand<Record<string, never>> {
  static override summary = 'Removes a member from the cluster';
  static override usage = 'member remove <memberID>';
  static override section: Section = 'Cluster maintenance commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const id = memberIdArgument(positionals);
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const response = await client.cluster.memberRemove(id, options);
      this.terminal.out(printer.memberRemove(id, response));
    });
  }
}
