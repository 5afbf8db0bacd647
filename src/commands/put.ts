import type { ParsedArguments } from '../cli/args/flag-set.js';
import { ClientCommand } from '../cli/client-command.js';
import type { Section } from '../cli/faces.js';
import { PUT_FLAGS, PUT_USAGE, putRequest } from '../cli/kv/put.js';
import { LineReader } from '../cli/line-reader.js';

/** `put` (reference: cli 4.1). */
export default class Put extends ClientCommand<typeof PUT_FLAGS> {
  static override summary = 'Puts the given key into the store';
  static override description = `
Puts the given key into the store.

When <value> begins with '-', <value> is interpreted as a flag.
Insert '--' for workaround:

$ put <key> -- <value>
$ put -- <key> <value>

If <value> isn't given as a command line argument and '--ignore-value' is not specified,
this command tries to read the value from standard input.

If <lease> isn't given as a command line argument and '--ignore-lease' is not specified,
this command tries to read the value from standard input.

For example,
$ cat file | put <key>
will store the content of the file to <key>.`;
  static override usage = PUT_USAGE;
  static override section: Section = 'Key-value commands';
  static override flags = PUT_FLAGS;

  protected override async execute(input: ParsedArguments<typeof PUT_FLAGS>): Promise<void> {
    const readInput = () => new LineReader(this.terminal.stdin).readRest();
    const request = await putRequest(input.positionals, input.flags, readInput);
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      this.terminal.out(printer.put(await client.kv.put(request, options)));
    });
  }
}
