import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `role delete` (reference: cli 7). It has no deadline. */
export default class RoleDelete extends ClientCommand<Record<string, never>> {
  static override summary = 'Deletes a role';
  static override usage = 'role delete <role name>';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const name = singleArgument(
      positionals,
      'role delete command requires role name as its argument',
    );
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.roleDelete(name);
      this.terminal.out(printer.roleDelete(name, response));
    });
  }
}
