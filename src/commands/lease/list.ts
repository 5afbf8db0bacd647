import { ClientCommand } from '../../cli/client-command.js';
import { ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { callFailure } from '../../cli/session.js';

/** `lease list` (reference: cli 4.7). It has no deadline. */
export default class LeaseList extends ClientCommand<Record<string, never>> {
  static override summary = 'List all active leases';
  static override usage = 'lease list';
  static override section: Section = 'Key-value commands';

  protected override async execute(): Promise<void> {
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.lease.list().catch((error) => {
        throw callFailure(error, ExitCode.BadConnection);
      });
      this.terminal.out(printer.leaseList(response));
    });
  }
}
