import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `user delete` (reference: cli 7). It has no deadline. */
export default class UserDelete extends ClientCommand<Record<string, never>> {
  static override summary = 'Deletes a user';
  static override usage = 'user delete <user name>';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const name = singleArgument(
      positionals,
      'user delete command requires user name as its argument',
    );
    await this.withClient('none', async ({ client, printer }) => {
      const response = await client.auth.userDelete(name);
      this.terminal.out(printer.userDelete(name, response));
    });
  }
}
