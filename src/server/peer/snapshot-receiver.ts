import type { IncomingMessage, ServerResponse } from 'node:http';
import { formatGoMillis, humanizeBytes } from '../../base/go-format.js';
import { type Message, MessageType, messageTypeName } from '../../raft/types.js';
import { replyError } from '../http/responses.js';
import { formatId } from '../membership/member.js';
import { bodyChunks } from './body-chunks.js';
import { ByteQueue } from './byte-queue.js';
import type { Delivery } from './delivery.js';
import { MessageStreamDecoder } from './message-stream-codec.js';
import type { PeerContext } from './peer-context.js';
import { answerPosted } from './posted-answers.js';

/** Longest message before the database, bytes (reference: raft-and-peers B4). */
const MAX_SNAPSHOT_MESSAGE_BYTES = 64 * 1024 * 1024;
/** Databases that may come in at a time. */
const MAX_OPEN_SNAPSHOTS = 4;
/** The sender of a snapshot that was refused before it was looked at. */
const UNKNOWN_SENDER = 'UNKNOWN_SNAPSHOT_SENDER';

/** Takes snapshots: a message, and behind it a database that goes to the disk as it comes. */
export class SnapshotReceiver {
  readonly #context: PeerContext;
  readonly #delivery: Delivery;
  #open = 0;

  constructor(context: PeerContext, delivery: Delivery) {
    this.#context = context;
    this.#delivery = delivery;
  }

  /** Counts a request that was refused. */
  countStranger(): void {
    this.#context.metrics.snapshotReceive.failures.with(UNKNOWN_SENDER).inc();
  }

  async receive(request: IncomingMessage, response: ServerResponse, sender: string): Promise<void> {
    // Whoever is refused stops sending when the connection closes.
    response.shouldKeepAlive = false;
    if (this.#open >= MAX_OPEN_SNAPSHOTS) {
      this.#refuse(response, sender, 503, 'too many snapshots under way');
      return;
    }
    this.#open++;
    const inFlight = this.#context.metrics.snapshotReceive.inFlight.with(sender);
    inFlight.inc();
    try {
      await this.#receive(request, response, sender);
    } finally {
      inFlight.dec();
      this.#open--;
    }
  }

  async #receive(
    request: IncomingMessage,
    response: ServerResponse,
    sender: string,
  ): Promise<void> {
    const { clock, metrics } = this.#context;
    const start = clock.monotonicMillis();
    const body = new SnapshotBody(this.#context, request);
    const message = await this.#readMessage(body, response, sender);
    if (message === undefined) return;
    // Etcd looks at this only after it has stored the database.
    const refusal = this.#delivery.refusal(message);
    if (refusal === undefined && !(await this.#save(body, message, response, sender))) return;
    const outcome = refusal ?? this.#delivery.handOver(message);
    answerPosted(response, outcome);
    if (outcome !== undefined) {
      metrics.snapshotReceive.failures.with(sender).inc();
      return;
    }
    metrics.snapshotReceive.successes.with(sender).inc();
    metrics.snapshotReceive.seconds.with(sender).observe((clock.monotonicMillis() - start) / 1000);
  }

  /** Undefined: there is none, and the request has been answered. */
  async #readMessage(
    body: SnapshotBody,
    response: ServerResponse,
    sender: string,
  ): Promise<Message | undefined> {
    const { logger, metrics, localId } = this.#context;
    const facts = { 'local-member-id': localId, 'remote-snapshot-sender-id': sender };
    let message: Message;
    try {
      message = await body.readMessage();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      logger.warn('failed to decode Raft message', { ...facts, error: error.message });
      metrics.receivedFailures.with(sender).inc();
      this.#refuse(response, sender, 400, `failed to decode raft message (${error.message})`);
      return undefined;
    }
    metrics.receivedBytes.with(sender).inc(body.messageBytes);
    if (message.type === MessageType.Snap && message.snapshot !== undefined) return message;
    logger.warn('unexpected Raft message type', {
      ...facts,
      'message-type': messageTypeName(message.type),
    });
    this.#refuse(response, sender, 400, 'wrong raft message type');
    return undefined;
  }

  /** False: it could not be stored, and the request has been answered. */
  async #save(
    body: SnapshotBody,
    message: Message,
    response: ServerResponse,
    sender: string,
  ): Promise<boolean> {
    const { clock, logger, metrics, receiver, localId } = this.#context;
    const index = message.snapshot?.index ?? 0;
    const facts = {
      'local-member-id': localId,
      'remote-snapshot-sender-id': formatId(message.from),
      'incoming-snapshot-index': index,
    };
    logger.info('receiving database snapshot', {
      ...facts,
      'incoming-snapshot-message-size-bytes': body.messageBytes,
      'incoming-snapshot-message-size': humanizeBytes(body.messageBytes),
    });
    const start = clock.monotonicMillis();
    try {
      await receiver.saveSnapshotDatabase(index, body.database());
      if (!body.isComplete) throw new Error('the database was not read to its end');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn('failed to save incoming database snapshot', { ...facts, error: reason });
      this.#refuse(response, sender, 500, `failed to save KV snapshot (${reason})`);
      return false;
    }
    metrics.receivedBytes.with(sender).inc(body.databaseBytes);
    logger.info('received and saved database snapshot', {
      ...facts,
      'incoming-snapshot-size-bytes': body.databaseBytes,
      'incoming-snapshot-size': humanizeBytes(body.databaseBytes),
      'download-took': formatGoMillis(clock.monotonicMillis() - start),
    });
    return true;
  }

  #refuse(response: ServerResponse, sender: string, status: number, text: string): void {
    this.#context.metrics.snapshotReceive.failures.with(sender).inc();
    replyError(response, status, text);
  }
}

/** The body of a snapshot request, read once from its beginning. */
class SnapshotBody {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #queue = new ByteQueue();
  #messageBytes = 0;
  #databaseBytes = 0;
  #isComplete = false;

  constructor(context: PeerContext, request: IncomingMessage) {
    this.#chunks = bodyChunks(context, request);
  }

  get messageBytes(): number {
    return this.#messageBytes;
  }

  get databaseBytes(): number {
    return this.#databaseBytes;
  }

  /** Whether the database has been read to its end. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** @throws FrameError, DecodeError; Error if the body breaks off */
  async readMessage(): Promise<Message> {
    const decoder = new MessageStreamDecoder(MAX_SNAPSHOT_MESSAGE_BYTES);
    for (;;) {
      const message = decoder.decode(this.#queue);
      if (message !== undefined) {
        this.#messageBytes = this.#queue.taken;
        return message;
      }
      const { value, done } = await this.#chunks.next();
      if (done === true) throw new Error('unexpected EOF');
      this.#queue.push(value);
    }
  }

  /** What is behind the message. Throws if the body breaks off before the end it announced. */
  async *database(): AsyncGenerator<Buffer> {
    for (const chunk of this.#queue.takeAll()) yield this.#count(chunk);
    for (;;) {
      const { value, done } = await this.#chunks.next();
      if (done === true) break;
      yield this.#count(value);
    }
    this.#isComplete = true;
  }

  #count(chunk: Buffer): Buffer {
    this.#databaseBytes += chunk.length;
    return chunk;
  }
}
