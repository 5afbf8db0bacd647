import { ExitCode } from './exit.js';
import { callFailure, type Session } from './session.js';

/**
 * The endpoints that a per-endpoint command visits one by one: those of `--endpoints` as they stand,
 * or with `--cluster` the client URLs of all members (reference: cli 5.4).
 * @throws CommandFailure if the members cannot be listed
 */
export async function targetEndpoints(
  session: Session,
  cluster: boolean,
): Promise<readonly string[]> {
  if (!cluster) return session.flags.endpoints;
  try {
    const client = await session.anonymousClient();
    const { members } = await client.cluster.memberList(true, session.deadline());
    return members.flatMap((member) => member.clientURLs);
  } catch (error) {
    throw callFailure(
      error,
      ExitCode.Error,
      (text) => `failed to fetch endpoints from etcd cluster member list: ${text}`,
    );
  }
}
