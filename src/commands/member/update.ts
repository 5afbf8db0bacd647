import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { valueFlag } from '../../cli/args/flags.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';
import { memberIdArgument } from '../../cli/member-id.js';
import { peerUrlsArgument } from '../../cli/peer-urls.js';

const FLAGS = {
  'peer-urls': valueFlag('string', '', 'comma separated peer URLs for the updated member.'),
};

/** `member update` (reference: cli 5.1). */
export default class MemberUpdate extends ClientCommand<typeof FLAGS> {
  static override summary = 'Updates a member in the cluster';
  static override usage = 'member update <memberID> [options]';
  static override section: Section = 'Cluster maintenance commands';
  static override flags = FLAGS;

  protected override async execute({
    positionals,
    flags,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const id = memberIdArgument(positionals);
    const peerURLs = await peerUrlsArgument(flags['peer-urls']);
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const response = await client.cluster.memberUpdate({ ID: id, peerURLs }, options);
      this.terminal.out(printer.memberUpdate(id, response));
    });
  }
}
