import type { ParsedArguments } from '../cli/args/flag-set.js';
import { boolFlag } from '../cli/args/flags.js';
import { ClientCommand } from '../cli/client-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Section } from '../cli/faces.js';
import { LineReader } from '../cli/line-reader.js';
import { readTxn } from '../cli/txn/read-txn.js';

const FLAGS = {
  interactive: boolFlag('Input transaction in interactive mode', { short: 'i' }),
};

/** `txn` (reference: cli 4.4). */
export default class Txn extends ClientCommand<typeof FLAGS> {
  static override summary = 'Txn processes all the requests in one transaction';
  static override description =
    `Txn reads multiple etcd requests from standard input and applies them as a single atomic transaction.

A transaction consists of three components:
1) a list of conditions,
2) a list of requests to apply if all the conditions are true,
3) a list of requests to apply if any condition is false.

Example interactive stdin usage:

---
etcdctl txn -i
# compares:
mod("key1") > "0"

# success requests (get, put, delete):
put key1 "overwrote-key1"

# failure requests (get, put, delete):
put key1 "created-key1"
put key2 "some extra key"
---

Refer to https://github.com/etcd-io/etcd/blob/main/etcdctl/README.md#txn-options.`;
  static override usage = 'txn [options]';
  static override section: Section = 'Key-value commands';
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    if (input.positionals.length > 0) {
      throw new CommandFailure(ExitCode.BadArguments, 'txn command does not accept argument');
    }
    await this.withClient('none', async ({ client, printer }) => {
      const reader = new LineReader(this.terminal.stdin);
      const request = await readTxn(reader, this.terminal, input.flags.interactive);
      this.terminal.out(printer.txn(await client.kv.txn(request)));
    });
  }
}
