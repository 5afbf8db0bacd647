import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import { grantNote, prefixWarning } from '../../cli/auth/grant-note.js';
import { permissionRange, permissionType } from '../../cli/auth/permission-range.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';

const FLAGS = {
  prefix: boolFlag('grant a prefix permission'),
  'from-key': boolFlag(
    'grant a permission of keys that are greater than or equal to the given key using byte compare',
  ),
};

/** `role grant-permission` (reference: cli 7). It has no deadline. */
export default class RoleGrantPermission extends ClientCommand<typeof FLAGS> {
  static override summary = 'Grants a key to a role';
  static override usage =
    'role grant-permission [options] <role name> <permission type> <key> [endkey]';
  static override section: Section = 'Authentication commands';
  static override flags = FLAGS;

  protected override async execute({
    flags,
    positionals,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const [role, type, key, end] = positionals;
    if (role === undefined || type === undefined || key === undefined) {
      throw new CommandFailure(
        ExitCode.BadArguments,
        'role grant command requires role name, permission type, and key [endkey] as its argument',
      );
    }
    const permType = permissionType(type);
    const range = permissionRange(key, end, flags);
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.roleGrantPermission(role, { permType, ...range });
      this.terminal.out(printer.roleGrantPermission(role, response));
    });
    // Scripts may take any word on stderr for a failure.
    if (!this.terminal.errorIsTerminal) return;
    this.terminal.error(grantNote(range));
    if (flags.prefix) this.terminal.error(prefixWarning(key) ?? '');
  }
}
