import type { Logger } from '../../base/logger.js';
import type { PeerCalls, PeerMembers } from '../peer/peer-calls.js';

/** The peer URLs of all members but one, in the order in which they are asked. */
export function otherUrls(
  peerUrls: ReadonlyMap<string, readonly string[]>,
  localName: string,
): string[] {
  return [...peerUrls]
    .filter(([name]) => name !== localName)
    .flatMap(([, urls]) => urls)
    .sort();
}

/**
 * Asks one URL after another for the members of the cluster and takes the first answer.
 * @throws Error with etcd's text if there is none, or an empty one
 */
export async function fetchMembers(
  { calls, logger }: { readonly calls: Pick<PeerCalls, 'members'>; readonly logger: Logger },
  urls: readonly string[],
  timeoutMillis: number,
): Promise<PeerMembers> {
  for (const url of urls) {
    let answer: PeerMembers;
    try {
      answer = await calls.members([url], timeoutMillis);
    } catch (error) {
      logger.warn('failed to get cluster response', {
        address: `${url}/members`,
        error: error instanceof Error ? error.message : String(error),
      });
      continue;
    }
    if (answer.members.length > 0) return answer;
    // Trap: a member that knows of none makes the others unheard, too.
    throw new Error('failed to get raft cluster member(s) from the given URLs');
  }
  throw new Error('could not retrieve cluster information from the given URLs');
}
