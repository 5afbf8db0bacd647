import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import { ENDPOINT_FLAGS, type Section } from '../../cli/faces.js';
import type { EndpointStatus as Status } from '../../cli/printers/printer.js';
import { targetEndpoints } from '../../cli/target-endpoints.js';
import { errorText } from '../../client/errors.js';

/** `endpoint status` (reference: cli 5.3). */
export default class EndpointStatus extends ClientCommand<typeof ENDPOINT_FLAGS> {
  static override summary = 'Prints out the status of endpoints specified in `--endpoints` flag';
  static override description =
    `When --write-out is set to simple, this command prints out comma-separated status lists for each endpoint.
The items in the lists are endpoint, ID, version, db size, is leader, is learner, raft term, raft index, raft applied index, errors.`;
  static override usage = 'endpoint status';
  static override section: Section = 'Cluster maintenance commands';
  static override flags = ENDPOINT_FLAGS;

  protected override async execute(): Promise<void> {
    await this.withSession(async (session, printer) => {
      const found: Status[] = [];
      const endpoints = await targetEndpoints(session, session.values.cluster === true);
      for (const endpoint of endpoints) {
        const client = await session.client([endpoint]);
        try {
          const status = await client.maintenance.status(session.deadline());
          found.push({ endpoint, status });
        } catch (error) {
          this.terminal.error(
            `Failed to get the status of endpoint ${endpoint} (${errorText(error)})\n`,
          );
          this.tellBrokenLayer(error);
        }
      }
      this.terminal.out(printer.endpointStatus(found));
      if (found.length < endpoints.length) throw new CommandFailure(ExitCode.Error);
    });
  }
}
