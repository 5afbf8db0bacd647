import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag, valueFlag } from '../../cli/args/flags.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { peerUrlsArgument } from '../../cli/peer-urls.js';

const FLAGS = {
  learner: boolFlag('indicates if the new member is raft learner'),
  'peer-urls': valueFlag('string', '', 'comma separated peer URLs for the new member.'),
};

/** `member add` (reference: cli 5.1). */
export default class MemberAdd extends ClientCommand<typeof FLAGS> {
  static override summary = 'Adds a member into the cluster';
  static override usage = 'member add <memberName> [options]';
  static override section: Section = 'Cluster maintenance commands';
  static override flags = FLAGS;

  protected override async execute({
    positionals,
    flags,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const name = nameArgument(positionals);
    const peerUrls = flags['peer-urls'];
    const peerURLs = await peerUrlsArgument(peerUrls);
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      // The name is for the lines that tell how to start the member; it will tell its own.
      const request = { peerURLs, isLearner: flags.learner };
      const response = await client.cluster.memberAdd(request, options);
      this.terminal.out(printer.memberAdd(response, { name, peerUrls }));
    });
  }
}

/** Trap: `member add <name> <url>` was how etcdctl took URLs once. */
function nameArgument(positionals: readonly string[]): string {
  const [name] = positionals;
  if (name === undefined) {
    throw new CommandFailure(ExitCode.BadArguments, 'member name not provided');
  }
  if (positionals.length === 1) return name;
  const hints = positionals
    .filter((text) => text.toLowerCase().startsWith('http'))
    .map((text) => `, did you mean --peer-urls=${text}`);
  throw new CommandFailure(ExitCode.BadArguments, `too many arguments${hints.join('')}`);
}
