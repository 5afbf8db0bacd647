import { noArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `auth status` (reference: cli 7). */
export default class AuthStatus extends ClientCommand<Record<string, never>> {
  static override summary = 'Returns authentication status';
  static override usage = 'auth status';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    noArguments(positionals, 'auth status command does not accept any arguments');
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      this.terminal.out(printer.authStatus(await client.auth.status(options)));
    });
  }
}
