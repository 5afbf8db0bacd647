import { twoArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `user revoke-role` (reference: cli 7). It has no deadline. */
export default class UserRevokeRole extends ClientCommand<Record<string, never>> {
  static override summary = 'Revokes a role from a user';
  static override usage = 'user revoke-role <user name> <role name>';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const [user, role] = twoArguments(
      positionals,
      'user revoke-role requires user name and role name as its argument',
    );
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.userRevokeRole(user, role);
      this.terminal.out(printer.userRevokeRole(user, role, response));
    });
  }
}
