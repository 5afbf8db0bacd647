import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import { ClientCommand, type ClientContext } from '../../cli/client-command.js';
import { ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { leaseIdArgument } from '../../cli/lease-id.js';
import { leaseId } from '../../cli/printers/go-text.js';
import { callFailure } from '../../cli/session.js';

const FLAGS = {
  once: boolFlag('Resets the keep-alive time to its original value and exits immediately'),
};

/** `lease keep-alive` (reference: cli 4.7). It has no deadline. */
export default class LeaseKeepAlive extends ClientCommand<typeof FLAGS> {
  static override summary = 'Keeps leases alive (renew)';
  static override usage = 'lease keep-alive [options] <leaseID>';
  static override section: Section = 'Key-value commands';
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const id = leaseIdArgument(
      singleArgument(input.positionals, 'lease keep-alive command needs lease ID as argument'),
    );
    await this.withClient('none', async (context) => {
      const work = input.flags.once
        ? this.renewOnce(id, context)
        : this.renewUntilGone(id, context);
      await work.catch((error) => {
        throw callFailure(error, ExitCode.BadConnection);
      });
    });
  }

  private async renewOnce(id: bigint, { client, printer }: ClientContext): Promise<void> {
    this.terminal.out(printer.leaseKeepAlive(await client.lease.keepAliveOnce(id)));
  }

  private async renewUntilGone(id: bigint, { client, printer }: ClientContext): Promise<void> {
    for await (const response of client.lease.keepAlive(id)) {
      this.terminal.out(printer.leaseKeepAlive(response));
    }
    if (printer.format === 'simple') {
      this.terminal.out(`lease ${leaseId(id)} expired or revoked.\n`);
    }
  }
}
