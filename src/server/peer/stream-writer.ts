import type { ServerResponse } from 'node:http';
import type { Counter } from '../../base/metrics.js';
import type { Timer } from '../../platform/clock.js';
import type { Message } from '../../raft/types.js';
import { formatId } from '../membership/member.js';
import { FrameBatch } from './frame-batch.js';
import { MessageQueue } from './message-queue.js';
import type { PeerContext } from './peer-context.js';
import type { PeerStatus } from './peer-status.js';
import {
  createEncoder,
  STREAM_TITLES,
  type StreamEncoder,
  type StreamKind,
} from './stream-codec.js';

/** Messages that wait for a slow peer (reference: raft-and-peers B2). */
const MAX_QUEUED_MESSAGES = 4096;
/** Their weight; most of it is shared with the log. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
/** Encoded bytes that the socket may hold; what is more waits unencoded. */
const MAX_UNSENT_BYTES = 256 * 1024;

/** A response that a peer reads messages from. */
interface Connection {
  readonly response: ServerResponse;
  readonly encoder: StreamEncoder;
  readonly queue: MessageQueue;
  readonly heartbeat: Timer;
  /** Writes that the socket has not finished, and when one last was. */
  openWrites: number;
  lastProgress: number;
}

/** Writes messages to the peer that asked for a stream, as long as it reads them. */
export class StreamWriter {
  readonly #context: PeerContext;
  readonly #kind: StreamKind;
  readonly #id: bigint;
  readonly #peer: string;
  readonly #status: PeerStatus;
  readonly #batch = new FrameBatch();
  readonly #sentBytes: Counter;
  #connection: Connection | undefined;

  constructor(context: PeerContext, kind: StreamKind, id: bigint, status: PeerStatus) {
    this.#context = context;
    this.#kind = kind;
    this.#id = id;
    this.#peer = formatId(id);
    this.#status = status;
    this.#sentBytes = context.metrics.sentBytes.with(this.#peer);
  }

  get isAttached(): boolean {
    return this.#connection !== undefined;
  }

  /** Takes over a response whose headers are out. The one before is closed. */
  attach(response: ServerResponse): void {
    const { logger, clock, localId, readTimeoutMillis } = this.#context;
    logger.info('set message encoder', {
      from: localId,
      to: this.#peer,
      'stream-type': STREAM_TITLES[this.#kind],
    });
    this.#replace();
    const connection: Connection = {
      response,
      encoder: createEncoder(this.#kind),
      queue: new MessageQueue(MAX_QUEUED_MESSAGES, MAX_QUEUED_BYTES),
      heartbeat: clock.setPeriodic(readTimeoutMillis / 3, () => this.#sendHeartbeat(connection)),
      openWrites: 0,
      lastProgress: clock.monotonicMillis(),
    };
    this.#connection = connection;
    this.#status.activate();
    response.on('drain', () => this.flush());
    response.on('error', (error) => this.#lose(connection, error.message));
    response.on('close', () => this.#lose(connection, 'connection closed'));
    logger.info('established TCP streaming connection with remote peer', this.#facts());
  }

  /** Takes a message, to go out at the next {@link flush}. False: there is no room for it. */
  offer(message: Message): boolean {
    return this.#connection?.queue.push(message) ?? false;
  }

  /** Writes what the socket takes. The rest follows when it has room. */
  flush(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { response, encoder, queue } = connection;
    const batch = this.#batch;
    while (queue.length > 0 && response.writableLength + batch.bytes < MAX_UNSENT_BYTES) {
      const message = queue.shift();
      if (message !== undefined) encoder.encode(message, batch);
    }
    this.#write(connection);
  }

  stop(): void {
    if (this.#detach() === undefined) return;
    this.#context.logger.info('stopped TCP streaming connection with remote peer', this.#facts());
  }

  #sendHeartbeat(connection: Connection): void {
    const { clock, writeTimeoutMillis } = this.#context;
    const silence = clock.monotonicMillis() - connection.lastProgress;
    if (connection.openWrites > 0 && silence >= writeTimeoutMillis) {
      this.#lose(connection, 'i/o timeout', 'heartbeat');
      return;
    }
    connection.encoder.encodeLinkHeartbeat(this.#batch);
    this.#write(connection);
  }

  #write(connection: Connection): void {
    this.#sentBytes.inc(this.#batch.bytes);
    const parts = this.#batch.take();
    if (parts.length === 0) return;
    if (connection.openWrites === 0) {
      connection.lastProgress = this.#context.clock.monotonicMillis();
    }
    const { response } = connection;
    // Node would hold back a chunked response until the end of the turn, our own write to disk
    // included, which goes on beside that of the peer.
    const { socket } = response;
    socket?.cork();
    for (const part of parts) {
      connection.openWrites++;
      response.write(part, () => {
        connection.openWrites--;
        connection.lastProgress = this.#context.clock.monotonicMillis();
      });
    }
    socket?.uncork();
  }

  /** Closes the connection that a new one takes the place of. */
  #replace(): void {
    const { logger, receiver } = this.#context;
    const replaced = this.#detach();
    if (replaced === undefined) return;
    logger.warn('closed TCP streaming connection with remote peer', this.#facts());
    if (replaced.queue.length > 0 || replaced.openWrites > 0) receiver.reportUnreachable(this.#id);
  }

  #lose(connection: Connection, reason: string, action = 'write'): void {
    if (this.#connection !== connection) return;
    this.#detach();
    const { logger, metrics, receiver } = this.#context;
    this.#status.deactivate({ source: STREAM_TITLES[this.#kind], action }, reason);
    logger.warn('lost TCP streaming connection with remote peer', {
      ...this.#facts(),
      error: reason,
    });
    metrics.sentFailures.with(this.#peer).inc();
    receiver.reportUnreachable(this.#id);
  }

  /** Closes the connection with all that waits for it. Undefined: there is none. */
  #detach(): Connection | undefined {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.heartbeat.cancel();
    connection?.response.destroy();
    return connection;
  }

  #facts() {
    return {
      'stream-writer-type': STREAM_TITLES[this.#kind],
      'local-member-id': this.#context.localId,
      'remote-peer-id': this.#peer,
    };
  }
}
