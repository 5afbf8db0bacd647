import type { ParsedArguments } from '../cli/args/flag-set.js';
import { clampToSafe, parseGoInt } from '../cli/args/flag-values.js';
import { boolFlag } from '../cli/args/flags.js';
import { ClientCommand } from '../cli/client-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Section } from '../cli/faces.js';

const FLAGS = {
  physical: boolFlag("'true' to wait for compaction to physically remove all old revisions"),
};

/** `compaction` (reference: cli 4.5). */
export default class Compaction extends ClientCommand<typeof FLAGS> {
  static override summary = 'Compacts the event history in etcd';
  static override usage = 'compaction [options] <revision>';
  static override section: Section = 'Key-value commands';
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const [text] = input.positionals;
    if (text === undefined || input.positionals.length !== 1) {
      throw new CommandFailure(ExitCode.BadArguments, 'compaction command needs 1 argument');
    }
    // Trap: a bad number exits with 1 here, not with 128 as everywhere else.
    const revision = clampToSafe(parseGoInt(text, 10));
    await this.withClient('after-setup', async ({ client, options }) => {
      await client.kv.compact({ revision, physical: input.flags.physical }, options);
      this.terminal.out(`compacted revision ${revision}\n`);
    });
  }
}
