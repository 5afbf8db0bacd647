import type { IncomingMessage } from 'node:http';
import type { PeerContext } from './peer-context.js';

/**
 * The pieces of a body, as they come. Trap: a sender whose machine is gone never says so; without a
 * limit its connection, and its place among the few that may send a snapshot, would be taken for
 * good. Etcd's peer listeners, too, close a connection that is to be read from and is silent for
 * the read timeout. Time that the reader takes between two pieces does not count.
 * @throws Error if the body breaks off, or nothing comes for the read timeout
 */
export async function* bodyChunks(
  { clock, readTimeoutMillis }: Pick<PeerContext, 'clock' | 'readTimeoutMillis'>,
  request: IncomingMessage,
): AsyncGenerator<Buffer, void> {
  const chunks = (request as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  for (;;) {
    const timer = clock.setTimer(readTimeoutMillis, () => {
      request.destroy(new Error('i/o timeout'));
    });
    let next: IteratorResult<Buffer>;
    try {
      next = await chunks.next();
    } finally {
      timer.cancel();
    }
    if (next.done === true) return;
    yield next.value;
  }
}
