import type { ServerResponse } from 'node:http';
import { reply, replyError } from '../http/responses.js';
import type { Refusal } from './delivery.js';

/** Answers a message that was posted, by what became of it. */
export function answerPosted(response: ServerResponse, refusal: Refusal | undefined): void {
  switch (refusal) {
    case undefined:
      response.writeHead(204);
      response.end();
      return;
    case 'removed':
      reply(response, 403, '{"message":"cannot process message from removed member"}', {
        'Content-Type': 'application/json',
      });
      return;
    case 'mismatch':
      // Trap: to a 403 the sender would stop as if it were removed, and it is not.
      replyError(response, 412, 'to field mismatch');
      return;
    case 'local':
    case 'overloaded':
      replyError(response, 500, 'error processing raft message');
  }
}
