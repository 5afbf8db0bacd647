import { noArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `role list` (reference: cli 7). It has no deadline. */
export default class RoleList extends ClientCommand<Record<string, never>> {
  static override summary = 'Lists all roles';
  static override usage = 'role list';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    noArguments(positionals, 'role list command requires no arguments');
    await this.withClient('none', async ({ client, printer }) => {
      this.terminal.out(printer.roleList(await client.auth.roleList()));
    });
  }
}
