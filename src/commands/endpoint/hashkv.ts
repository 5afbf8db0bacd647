import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { valueFlag } from '../../cli/args/flags.js';
import { ClientCommand } from '../../cli/client-command.js';
import { ENDPOINT_FLAGS, type Section } from '../../cli/faces.js';
import type { EndpointHashKv as HashKv } from '../../cli/printers/printer.js';
import { callFailure } from '../../cli/session.js';
import { targetEndpoints } from '../../cli/target-endpoints.js';
import { errorText } from '../../client/errors.js';

const FLAGS = {
  ...ENDPOINT_FLAGS,
  rev: valueFlag('int', '0', 'maximum revision to hash (default: latest revision)'),
};

/** `endpoint hashkv` (reference: cli 5.4). */
export default class EndpointHashKv extends ClientCommand<typeof FLAGS> {
  static override summary = 'Prints the KV history hash for each endpoint in --endpoints';
  static override usage = 'endpoint hashkv';
  static override section: Section = 'Cluster maintenance commands';
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    await this.withSession(async (session, printer) => {
      const found: HashKv[] = [];
      let failure: unknown;
      for (const endpoint of await targetEndpoints(session, session.values.cluster === true)) {
        const client = await session.client([endpoint]);
        try {
          const hashKv = await client.maintenance.hashKv(input.flags.rev, session.deadline());
          found.push({ endpoint, hashKv });
        } catch (error) {
          failure = error;
          this.terminal.error(
            `Failed to get the hash of endpoint ${endpoint} (${errorText(error)})\n`,
          );
        }
      }
      this.terminal.out(printer.endpointHashKv(found));
      if (failure !== undefined) throw callFailure(failure);
    });
  }
}
