import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';
import { memberIdArgument } from '../../cli/member-id.js';

/** `member promote` (reference: cli 5.1). */
export default class MemberPromote extends ClientCommand<Record<string, never>> {
  static override summary = 'Promotes a non-voting member in the cluster';
  static override description =
    'Promotes a non-voting learner member to a voting one in the cluster.';
  static override usage = 'member promote <memberID>';
  static override section: Section = 'Cluster maintenance commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const id = memberIdArgument(positionals);
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const response = await client.cluster.memberPromote(id, options);
      this.terminal.out(printer.memberPromote(id, response));
    });
  }
}
