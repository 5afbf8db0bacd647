import { argumentBytes } from '../../cli/args/argument-bytes.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import { permissionRange } from '../../cli/auth/permission-range.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';

const FLAGS = {
  prefix: boolFlag('revoke a prefix permission'),
  'from-key': boolFlag(
    'revoke a permission of keys that are greater than or equal to the given key using byte compare',
  ),
};

/** `role revoke-permission` (reference: cli 7). It has no deadline. */
export default class RoleRevokePermission extends ClientCommand<typeof FLAGS> {
  static override summary = 'Revokes a key from a role';
  static override usage = 'role revoke-permission <role name> <key> [endkey]';
  static override section: Section = 'Authentication commands';
  static override flags = FLAGS;

  protected override async execute({
    flags,
    positionals,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const [role, key, end] = positionals;
    if (role === undefined || key === undefined) {
      throw new CommandFailure(
        ExitCode.BadArguments,
        'role revoke-permission command requires role name and key [endkey] as its argument',
      );
    }
    const range = permissionRange(key, end, flags);
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.roleRevokePermission({ role, ...range });
      // Trap: an empty key is printed as it was typed, not as it was sent.
      const typed = { key: argumentBytes(key), rangeEnd: range.rangeEnd };
      this.terminal.out(printer.roleRevokePermission(role, typed, response));
    });
  }
}
