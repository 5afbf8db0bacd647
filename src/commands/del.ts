import type { ParsedArguments } from '../cli/args/flag-set.js';
import { ClientCommand } from '../cli/client-command.js';
import type { Section } from '../cli/faces.js';
import { DEL_FLAGS, DEL_USAGE, deleteRequest } from '../cli/kv/del.js';
import { warnBeforeRangeDelete } from '../cli/kv/range-warning.js';

/** `del` (reference: cli 4.3). */
export default class Del extends ClientCommand<typeof DEL_FLAGS> {
  static override summary = 'Removes the specified key or range of keys [key, range_end)';
  static override usage = DEL_USAGE;
  static override section: Section = 'Key-value commands';
  static override flags = DEL_FLAGS;

  protected override async execute(input: ParsedArguments<typeof DEL_FLAGS>): Promise<void> {
    const { flags, positionals } = input;
    const request = deleteRequest(positionals, flags);
    const [key = '', end] = positionals;
    if (end !== undefined && !flags.range) await warnBeforeRangeDelete(this.terminal, key, end);
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      this.terminal.out(printer.deleteRange(await client.kv.deleteRange(request, options)));
    });
  }
}
