import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { clampToSafe, parseGoInt } from '../../cli/args/flag-values.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { callFailure } from '../../cli/session.js';

/** `lease grant` (reference: cli 4.7). */
export default class LeaseGrant extends ClientCommand<Record<string, never>> {
  static override summary = 'Creates leases';
  static override usage = 'lease grant <ttl>';
  static override section: Section = 'Key-value commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const ttl = ttlOf(singleArgument(positionals, 'lease grant command needs TTL argument'));
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const response = await client.lease.grant({ TTL: ttl }, options).catch((error) => {
        throw callFailure(error, ExitCode.Error, (text) => `failed to grant lease (${text})`);
      });
      this.terminal.out(printer.leaseGrant(response));
    });
  }
}

function ttlOf(text: string): number {
  try {
    return clampToSafe(parseGoInt(text, 10));
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(ExitCode.BadArguments, `bad TTL (${cause})`);
  }
}
