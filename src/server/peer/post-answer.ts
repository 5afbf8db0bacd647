import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Clock } from '../../platform/clock.js';
import { preconditionError, RefusedAsRemovedError } from './peer-errors.js';
import { readText } from './read-text.js';

/** How long the body of an answer may take (reference: raft-and-peers B4). */
const BODY_TIMEOUT_MILLIS = 5000;

/** The answer to a request that has been made. @throws Error if the connection fails before */
export function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
}

/**
 * Reads a peer's answer to a message that was posted.
 * @throws RefusedAsRemovedError, IncompatiblePeerError, or Error with etcd's text, unless it was taken
 */
export async function checkPosted(
  clock: Clock,
  response: IncomingMessage,
  url: string,
): Promise<void> {
  const timer = clock.setTimer(BODY_TIMEOUT_MILLIS, () => {
    response.destroy(new Error('timed out reading the answer'));
  });
  const body = await readText(response).finally(() => timer.cancel());
  switch (response.statusCode) {
    case 204:
      return;
    case 403:
      throw new RefusedAsRemovedError();
    case 412:
      throw preconditionError(body, response.headers);
    default: {
      const status = `${response.statusCode} ${response.statusMessage}`;
      throw new Error(`unexpected http status ${status} while posting to "${url}"`);
    }
  }
}
