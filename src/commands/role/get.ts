import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `role get` (reference: cli 7). It has no deadline. */
export default class RoleGet extends ClientCommand<Record<string, never>> {
  static override summary = 'Gets detailed information of a role';
  static override usage = 'role get <role name>';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const name = singleArgument(positionals, 'role get command requires role name as its argument');
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.roleGet(name);
      this.terminal.out(printer.roleGet(name, response));
    });
  }
}
