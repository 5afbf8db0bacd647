import type { ClientRequest } from 'node:http';
import { humanizeBytes } from '../../base/go-format.js';
import type { Message } from '../../raft/types.js';
import { formatId } from '../membership/member.js';
import { writeNumber } from './frame-batch.js';
import { encodeMessage } from './message-codec.js';
import { logRefusal, type PeerContext } from './peer-context.js';
import { RefusedAsRemovedError } from './peer-errors.js';
import type { PeerStatus } from './peer-status.js';
import type { SnapshotDatabase } from './peer-transport.js';
import { checkPosted, responseTo } from './post-answer.js';
import type { UrlPicker } from './url-picker.js';

/** Snapshots under way to one peer; Raft has no use for more than one. */
const MAX_OPEN_SNAPSHOTS = 2;
/** How long a peer may take no bytes, or, at the end, store the database without an answer. */
const STALL_TIMEOUT_MILLIS = 5 * 60 * 1000;
const LENGTH_BYTES = 8;

/** Sends snapshots with their database to one peer, beside all other traffic. */
export class SnapshotSender {
  readonly #context: PeerContext;
  readonly #id: bigint;
  readonly #peer: string;
  readonly #picker: UrlPicker;
  readonly #status: PeerStatus;
  readonly #open = new Set<AbortController>();

  constructor(context: PeerContext, id: bigint, picker: UrlPicker, status: PeerStatus) {
    this.#context = context;
    this.#id = id;
    this.#peer = formatId(id);
    this.#picker = picker;
    this.#status = status;
  }

  /** Closes the database and reports to the receiver, whatever happens. */
  send(message: Message, database: SnapshotDatabase): void {
    if (this.#open.size >= MAX_OPEN_SNAPSHOTS) {
      database.close();
      this.#report(new Error('too many snapshots under way'));
      return;
    }
    const abort = new AbortController();
    this.#open.add(abort);
    const ended = (error?: Error): void => {
      this.#open.delete(abort);
      database.close();
      this.#report(error);
    };
    this.#send(message, database, abort.signal).then(() => ended(), ended);
  }

  stop(): void {
    for (const abort of this.#open) abort.abort();
  }

  async #send(message: Message, database: SnapshotDatabase, signal: AbortSignal): Promise<void> {
    const { clock, logger, metrics } = this.#context;
    const inFlight = metrics.snapshotSend.inFlight.with(this.#peer);
    const head = encodeHead(message);
    const total = head.length + database.bytes;
    const facts = {
      'snapshot-index': message.snapshot?.index ?? 0,
      'remote-peer-id': this.#peer,
      bytes: total,
      size: humanizeBytes(total),
    };
    logger.info('sending database snapshot', facts);
    const start = clock.monotonicMillis();
    const url = this.#picker.pick();
    inFlight.inc();
    try {
      await this.#post(url, head, database, signal);
    } catch (error) {
      this.#picker.unreachable(url);
      logger.warn('failed to send database snapshot', { ...facts, error: String(error) });
      throw error;
    } finally {
      inFlight.dec();
    }
    logger.info('sent database snapshot', facts);
    metrics.sentBytes.with(this.#peer).inc(total);
    metrics.snapshotSend.seconds.with(this.#peer).observe((clock.monotonicMillis() - start) / 1000);
  }

  async #post(
    url: string,
    head: Buffer,
    database: SnapshotDatabase,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, agents, headers } = this.#context;
    const path = '/raft/snapshot';
    const request = agents.request(url, {
      method: 'POST',
      path,
      headers: { ...headers, 'Content-Type': 'application/octet-stream' },
      ownConnection: true,
    });
    const watch = new StallWatch(request, this.#context);
    const onAbort = (): void => void request.destroy(new Error('stopping'));
    signal.addEventListener('abort', onAbort);
    const answered = responseTo(request).then((answer) => checkPosted(clock, answer, url + path));
    const written = writeBody(request, head, database, watch);
    try {
      // A refusal may come while the body is still on its way; it says more than the broken pipe.
      await Promise.all([answered, written]);
    } finally {
      watch.stop();
      signal.removeEventListener('abort', onAbort);
      request.destroy();
      // Nobody may close the database while it is being read.
      await Promise.allSettled([answered, written]);
    }
  }

  #report(error?: Error): void {
    const { metrics, receiver } = this.#context;
    if (error === undefined) {
      this.#status.activate();
      metrics.snapshotSend.successes.with(this.#peer).inc();
      receiver.reportSnapshot(this.#id, true);
      return;
    }
    logRefusal(this.#context, this.#peer, error);
    this.#status.deactivate({ source: 'sendSnap', action: 'post' }, error.message);
    metrics.sentFailures.with(this.#peer).inc();
    metrics.snapshotSend.failures.with(this.#peer).inc();
    receiver.reportUnreachable(this.#id);
    receiver.reportSnapshot(this.#id, false);
    if (error instanceof RefusedAsRemovedError) receiver.reportRemoved();
  }
}

/** The message, with its length before it. */
function encodeHead(message: Message): Buffer {
  const body = encodeMessage(message);
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  writeNumber(length, 0, body.length);
  return Buffer.concat([length, body]);
}

/** @throws Error if the database does not have the bytes that it announced */
async function writeBody(
  request: ClientRequest,
  head: Buffer,
  database: SnapshotDatabase,
  watch: StallWatch,
): Promise<void> {
  let written = 0;
  try {
    request.write(head);
    for await (const block of database.blocks()) {
      written += block.length;
      if (written > database.bytes) throw new Error('the database is longer than it said');
      if (!request.write(block)) await watch.drained();
      watch.touch();
    }
    if (written < database.bytes) throw new Error('the database is shorter than it said');
    request.end();
  } catch (error) {
    // Without the end of the body the receiver knows that it got no whole database.
    request.destroy(error instanceof Error ? error : undefined);
    throw error;
  }
}

/** Breaks a request that makes no progress. */
class StallWatch {
  readonly #request: ClientRequest;
  readonly #clock: PeerContext['clock'];
  #timer: ReturnType<PeerContext['clock']['setTimer']>;
  #last: number;

  constructor(request: ClientRequest, { clock }: PeerContext) {
    this.#request = request;
    this.#clock = clock;
    this.#last = clock.monotonicMillis();
    this.#timer = clock.setTimer(STALL_TIMEOUT_MILLIS, () => this.#look());
  }

  touch(): void {
    this.#last = this.#clock.monotonicMillis();
  }

  /** Resolves when the socket has room again. @throws Error if the request fails before */
  drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#request.off('drain', settle);
        this.#request.off('close', settle);
        if (this.#request.destroyed)
          reject(this.#request.errored ?? new Error('connection closed'));
        else resolve();
      };
      this.#request.on('drain', settle);
      this.#request.on('close', settle);
      if (this.#request.destroyed) settle();
    });
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const rest = this.#last + STALL_TIMEOUT_MILLIS - this.#clock.monotonicMillis();
    if (rest <= 0) this.#request.destroy(new Error('i/o timeout'));
    else this.#timer = this.#clock.setTimer(rest, () => this.#look());
  }
}
