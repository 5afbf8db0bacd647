import { noArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';

/** `auth disable` (reference: cli 7). */
export default class AuthDisable extends ClientCommand<Record<string, never>> {
  static override summary = 'Disables authentication';
  static override usage = 'auth disable';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    noArguments(positionals, 'auth disable command does not accept any arguments');
    await this.withClient('before-setup', async ({ client, options }) => {
      await client.auth.disable(options);
    });
    this.terminal.out('Authentication Disabled\n');
  }
}
