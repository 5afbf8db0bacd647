import { singleArgument } from '../cli/args/argument-count.js';
import type { ParsedArguments } from '../cli/args/flag-set.js';
import { parseGoUint } from '../cli/args/flag-values.js';
import { ClientCommand } from '../cli/client-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Section } from '../cli/faces.js';
import type { Session } from '../cli/session.js';
import type { CallOptions } from '../client/caller.js';
import type { Client } from '../client/client.js';

/** `move-leader` (reference: cli 5.8). */
export default class MoveLeader extends ClientCommand<Record<string, never>> {
  static override summary = 'Transfers leadership to another etcd cluster member.';
  static override usage = 'move-leader <transferee-member-id>';
  static override section: Section = 'Cluster maintenance commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const target = targetArgument(positionals);
    await this.withSession(async (session, printer) => {
      const options = session.deadline();
      const { client, leader } = await findLeader(session, options);
      const response = await client.maintenance.moveLeader(target, options);
      this.terminal.out(printer.moveLeader(leader, target, response));
    });
  }
}

function targetArgument(positionals: readonly string[]): bigint {
  const text = singleArgument(positionals, 'move-leader command needs 1 argument');
  try {
    return parseGoUint(text, 16);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(ExitCode.BadArguments, message);
  }
}

/** Only the leader can hand its leadership on, so the endpoints are asked one after another. */
async function findLeader(
  session: Session,
  options: CallOptions,
): Promise<{ readonly client: Client; readonly leader: bigint }> {
  for (const endpoint of session.endpoints) {
    const client = await session.client([endpoint]);
    const { header, leader } = await client.maintenance.status(options);
    if (header?.memberId === leader) return { client, leader };
  }
  const given = session.endpoints.join(' ');
  throw new CommandFailure(ExitCode.BadArguments, `no leader endpoint given at [${given}]`);
}
