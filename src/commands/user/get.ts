import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';
import type { Printer } from '../../cli/printers/printer.js';
import type { AuthClient } from '../../client/auth-client.js';

const FLAGS = { detail: boolFlag('Show permissions of roles granted to the user') };

/** `user get` (reference: cli 7). It has no deadline. */
export default class UserGet extends ClientCommand<typeof FLAGS> {
  static override summary = 'Gets detailed information of a user';
  static override usage = 'user get <user name> [options]';
  static override section: Section = 'Authentication commands';
  static override flags = FLAGS;

  protected override async execute({
    flags,
    positionals,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const name = singleArgument(positionals, 'user get command requires user name as its argument');
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.userGet(name);
      if (!flags.detail) {
        this.terminal.out(printer.userGet(name, response));
        return;
      }
      this.terminal.out(`User: ${name}\n`);
      for (const role of response.roles) await this.printRole(role, client.auth, printer);
    });
  }

  /** Trap: the blank line and the title are text whatever the format is. */
  private async printRole(role: string, auth: AuthClient, printer: Printer): Promise<void> {
    this.terminal.out('\n');
    this.terminal.out(printer.roleGet(role, await auth.roleGet(role)));
  }
}
