import { twoArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `user grant-role` (reference: cli 7). It has no deadline. */
export default class UserGrantRole extends ClientCommand<Record<string, never>> {
  static override summary = 'Grants a role to a user';
  static override usage = 'user grant-role <user name> <role name>';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const [user, role] = twoArguments(
      positionals,
      'user grant command requires user name and role name as its argument',
    );
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.userGrantRole(user, role);
      this.terminal.out(printer.userGrantRole(user, role, response));
    });
  }
}
