import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import { ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { leaseIdArgument } from '../../cli/lease-id.js';
import { callFailure } from '../../cli/session.js';

/** `lease revoke` (reference: cli 4.7). */
export default class LeaseRevoke extends ClientCommand<Record<string, never>> {
  static override summary = 'Revokes leases';
  static override usage = 'lease revoke <leaseID>';
  static override section: Section = 'Key-value commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const id = leaseIdArgument(
      singleArgument(positionals, 'lease revoke command needs 1 argument'),
    );
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const response = await client.lease.revoke(id, options).catch((error) => {
        throw callFailure(error, ExitCode.Error, (text) => `failed to revoke lease (${text})`);
      });
      this.terminal.out(printer.leaseRevoke(id, response));
    });
  }
}
