import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../platform/clock.js';
import { replyError } from '../http/responses.js';

/** Longest body of a question (reference: raft-and-peers B1). */
const MAX_BODY_BYTES = 64 * 1024;
/** How long it may take to come in. */
const BODY_TIMEOUT_MILLIS = 5000;

/**
 * Reads the body of a peer's question.
 * @returns undefined: it was too long or did not come, and the request has been answered
 */
export async function readBody(
  clock: Pick<Clock, 'setTimer'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Buffer | undefined> {
  const body = await collect(clock, request);
  if (typeof body !== 'string') return body;
  // What else comes in on this connection is the rest of the body.
  response.setHeader('Connection', 'close');
  if (body === 'too long') replyError(response, 413, 'request body too large');
  else replyError(response, 400, 'error reading body');
  return undefined;
}

function collect(
  clock: Pick<Clock, 'setTimer'>,
  request: IncomingMessage,
): Promise<Buffer | 'too long' | 'broken'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = clock.setTimer(BODY_TIMEOUT_MILLIS, () => end('broken'));
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > MAX_BODY_BYTES) end('too long');
      else chunks.push(chunk);
    };
    const end = (result: Buffer | 'too long' | 'broken'): void => {
      timer.cancel();
      request.off('data', onData);
      if (typeof result === 'string') request.pause();
      resolve(result);
    };
    request.on('data', onData);
    request.on('end', () => end(Buffer.concat(chunks)));
    request.on('error', () => end('broken'));
    request.on('close', () => end('broken'));
  });
}
