import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import { newPassword } from '../../cli/auth/new-password.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

const FLAGS = {
  interactive: boolFlag('If true, read password from stdin instead of interactive terminal', {
    defaultOn: true,
  }),
};

/** `user passwd` (reference: cli 7). It has no deadline. */
export default class UserPasswd extends ClientCommand<typeof FLAGS> {
  static override summary = 'Changes password of user';
  static override usage = 'user passwd <user name> [options]';
  static override section: Section = 'Authentication commands';
  static override flags = FLAGS;

  protected override async execute({
    flags,
    positionals,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const name = singleArgument(
      positionals,
      'user passwd command requires user name as its argument',
    );
    const password = await newPassword(this.terminal, name, flags.interactive);
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.userChangePassword(name, password);
      this.terminal.out(printer.userChangePassword(response));
    });
  }
}
