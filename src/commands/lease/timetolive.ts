import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import { ClientCommand } from '../../cli/client-command.js';
import { ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { leaseIdArgument } from '../../cli/lease-id.js';
import { callFailure } from '../../cli/session.js';

const FLAGS = { keys: boolFlag('Get keys attached to this lease') };

/** `lease timetolive` (reference: cli 4.7). It has no deadline. */
export default class LeaseTimeToLive extends ClientCommand<typeof FLAGS> {
  static override summary = 'Get lease information';
  static override usage = 'lease timetolive <leaseID> [options]';
  static override section: Section = 'Key-value commands';
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const { keys } = input.flags;
    const id = leaseIdArgument(
      singleArgument(input.positionals, 'lease timetolive command needs lease ID as argument'),
    );
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.lease.timeToLive({ ID: id, keys }).catch((error) => {
        throw callFailure(error, ExitCode.BadConnection);
      });
      this.terminal.out(printer.leaseTimeToLive(response, keys));
    });
  }
}
