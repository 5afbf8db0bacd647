import type { ServerResponse } from 'node:http';
import { type Message, MessageType, messageTypeName } from '../../raft/types.js';
import { formatId } from '../membership/member.js';
import type { Delivery } from './delivery.js';
import { DropLog } from './drop-log.js';
import type { PeerContext } from './peer-context.js';
import { PeerStatus } from './peer-status.js';
import type { SnapshotDatabase } from './peer-transport.js';
import { Pipeline } from './pipeline.js';
import { Prober } from './prober.js';
import { SnapshotSender } from './snapshot-sender.js';
import { STREAM_KINDS, type StreamKind } from './stream-codec.js';
import { StreamReader } from './stream-reader.js';
import { StreamWriter } from './stream-writer.js';
import { UrlPicker } from './url-picker.js';

/** Another member: the streams from and to it, and the ways around them. */
export class Peer {
  readonly status: PeerStatus;
  readonly #context: PeerContext;
  readonly #id: bigint;
  readonly #picker: UrlPicker;
  readonly #writers: Readonly<Record<StreamKind, StreamWriter>>;
  readonly #readers: readonly StreamReader[];
  readonly #probers: readonly Prober[];
  readonly #pipeline: Pipeline;
  readonly #snapshots: SnapshotSender;
  readonly #drops: DropLog;

  constructor(context: PeerContext, id: bigint, urls: readonly string[], delivery: Delivery) {
    this.#context = context;
    this.#id = id;
    this.#drops = new DropLog(context.clock);
    this.#picker = new UrlPicker(urls);
    const picker = this.#picker;
    context.logger.info('starting remote peer', { 'remote-peer-id': formatId(id) });
    const status = new PeerStatus(context, id);
    this.status = status;
    this.#writers = {
      msgapp: new StreamWriter(context, 'msgapp', id, status),
      message: new StreamWriter(context, 'message', id, status),
    };
    this.#readers = STREAM_KINDS.map(
      (kind) => new StreamReader({ context, kind, id, picker, status, delivery }),
    );
    this.#probers = [
      new Prober(context, 'ROUND_TRIPPER_SNAPSHOT', id, picker),
      new Prober(context, 'ROUND_TRIPPER_RAFT_MESSAGE', id, picker),
    ];
    this.#pipeline = new Pipeline(context, id, picker, status);
    this.#snapshots = new SnapshotSender(context, id, picker, status);
  }

  /** Begins to dial. */
  start(): void {
    for (const reader of this.#readers) reader.start();
    for (const prober of this.#probers) prober.start();
    this.#context.logger.info('started remote peer', { 'remote-peer-id': formatId(this.#id) });
  }

  update(urls: readonly string[]): void {
    this.#picker.update(urls);
  }

  /** Queues a message; {@link flush} sends what goes by stream. */
  send(message: Message): void {
    const { msgapp, message: general } = this.#writers;
    const writer = message.type === MessageType.App && msgapp.isAttached ? msgapp : general;
    const channel = writer.isAttached ? writer : this.#pipeline;
    if (!channel.offer(message)) {
      reportDrop(this.#context, message, this.status.isActive, this.#drops.count());
    }
  }

  flush(): void {
    this.#writers.msgapp.flush();
    this.#writers.message.flush();
  }

  sendSnapshot(message: Message, database: SnapshotDatabase): void {
    this.#snapshots.send(message, database);
  }

  /** Gives the peer the stream that it asked for. */
  attach(kind: StreamKind, response: ServerResponse): void {
    this.#writers[kind].attach(response);
  }

  stop(): void {
    const { logger } = this.#context;
    const facts = { 'remote-peer-id': formatId(this.#id) };
    logger.info('stopping remote peer', facts);
    for (const reader of this.#readers) reader.stop();
    for (const prober of this.#probers) prober.stop();
    this.#writers.msgapp.stop();
    this.#writers.message.stop();
    this.#pipeline.stop();
    this.#snapshots.stop();
    this.status.forget();
    logger.info('stopped remote peer', facts);
  }
}

/** Somebody who may not be a member here yet: it gets messages one by one. */
export class Remote {
  readonly #context: PeerContext;
  readonly #status: PeerStatus;
  readonly #pipeline: Pipeline;
  readonly #drops: DropLog;

  constructor(context: PeerContext, id: bigint, urls: readonly string[]) {
    this.#context = context;
    this.#drops = new DropLog(context.clock);
    this.#status = new PeerStatus(context, id);
    this.#pipeline = new Pipeline(context, id, new UrlPicker(urls), this.#status);
  }

  send(message: Message): void {
    if (!this.#pipeline.offer(message)) {
      reportDrop(this.#context, message, this.#status.isActive, this.#drops.count());
    }
  }

  stop(): void {
    this.#pipeline.stop();
    this.#status.forget();
  }
}

function reportDrop(
  context: PeerContext,
  message: Message,
  isActive: boolean,
  loggedDrops: number,
): void {
  const { logger, metrics, receiver, localId } = context;
  const to = formatId(message.to);
  metrics.sentFailures.with(to).inc();
  if (loggedDrops > 0) {
    logger.warn('dropped internal Raft message since sending buffer is full', {
      'message-type': messageTypeName(message.type),
      'local-member-id': localId,
      from: formatId(message.from),
      'remote-peer-id': to,
      'remote-peer-active': isActive,
      'dropped-messages': loggedDrops,
    });
  }
  receiver.reportUnreachable(message.to);
}
