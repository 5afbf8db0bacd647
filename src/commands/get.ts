import type { ParsedArguments } from '../cli/args/flag-set.js';
import { ClientCommand } from '../cli/client-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Section } from '../cli/faces.js';
import { GET_FLAGS, GET_USAGE, rangeRequest } from '../cli/kv/get.js';

/** `get` (reference: cli 4.2). */
export default class Get extends ClientCommand<typeof GET_FLAGS> {
  static override summary = 'Gets the key or a range of keys';
  static override usage = GET_USAGE;
  static override section: Section = 'Key-value commands';
  static override flags = GET_FLAGS;

  protected override async execute(input: ParsedArguments<typeof GET_FLAGS>): Promise<void> {
    const { flags, positionals } = input;
    const request = rangeRequest(positionals, flags);
    await this.withClient('before-setup', async ({ client, printer, session, options }) => {
      const response = flags.stream
        ? await client.kv.rangeStream(request, options)
        : await client.kv.range(request, options);
      // Trap: etcdctl refuses these two combinations only after the server has answered.
      const format = session.flags['write-out'];
      if (flags['count-only'] && format !== 'fields') {
        throw wrongFormat('--count-only is only for `--write-out=fields`');
      }
      if (flags['print-value-only'] && format !== 'simple') {
        throw wrongFormat('print-value-only is only for `--write-out=simple`');
      }
      this.terminal.out(printer.get(response, { valueOnly: flags['print-value-only'] }));
    });
  }
}

function wrongFormat(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
