import { noArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `user list` (reference: cli 7). It has no deadline. */
export default class UserList extends ClientCommand<Record<string, never>> {
  static override summary = 'Lists all users';
  static override usage = 'user list';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    noArguments(positionals, 'user list command requires no arguments');
    await this.withClient('none', async ({ client, printer }) => {
      this.terminal.out(printer.userList(await client.auth.userList()));
    });
  }
}
