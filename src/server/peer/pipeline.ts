import type { ClientRequest } from 'node:http';
import { type Message, MessageType } from '../../raft/types.js';
import { formatId } from '../membership/member.js';
import { encodeMessage } from './message-codec.js';
import { MessageQueue } from './message-queue.js';
import { logRefusal, type PeerContext } from './peer-context.js';
import { RefusedAsRemovedError } from './peer-errors.js';
import type { PeerStatus } from './peer-status.js';
import { checkPosted, responseTo } from './post-answer.js';
import type { UrlPicker } from './url-picker.js';

/** Messages that wait, and POSTs at a time (reference: raft-and-peers B2). */
const MAX_QUEUED_MESSAGES = 64;
const MAX_OPEN_POSTS = 4;
/** Weight of those that wait. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
/** How long a peer may take for one message before its place is given to another. */
const POST_TIMEOUT_MILLIS = 30_000;

/** Sends messages to a member one by one, as long as it reads no stream. */
export class Pipeline {
  readonly #context: PeerContext;
  readonly #id: bigint;
  readonly #peer: string;
  readonly #picker: UrlPicker;
  readonly #status: PeerStatus;
  readonly #queue = new MessageQueue(MAX_QUEUED_MESSAGES, MAX_QUEUED_BYTES);
  readonly #requests = new Set<ClientRequest>();
  #openPosts = 0;
  #stopped = false;

  constructor(context: PeerContext, id: bigint, picker: UrlPicker, status: PeerStatus) {
    this.#context = context;
    this.#id = id;
    this.#peer = formatId(id);
    this.#picker = picker;
    this.#status = status;
    context.logger.info('started HTTP pipelining with remote peer', this.#facts());
  }

  /** False: there is no room for it. */
  offer(message: Message): boolean {
    if (this.#stopped || !this.#queue.push(message)) return false;
    this.#pump();
    return true;
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#queue.clear();
    for (const request of this.#requests) request.destroy();
    this.#context.logger.info('stopped HTTP pipelining with remote peer', this.#facts());
  }

  #pump(): void {
    while (this.#openPosts < MAX_OPEN_POSTS) {
      const message = this.#queue.shift();
      if (message === undefined) return;
      this.#openPosts++;
      const body = encodeMessage(message);
      // Trap: a proposal that arrives twice is a write that is made twice.
      this.#send(body, message.type !== MessageType.Prop).then(
        () => this.#finish(body.length),
        (error: Error) => this.#finish(0, error),
      );
    }
  }

  async #send(body: Buffer, mayRepeat: boolean): Promise<void> {
    const url = this.#picker.pick();
    try {
      await this.#post(url, body, mayRepeat);
    } catch (error) {
      this.#picker.unreachable(url);
      throw error;
    }
  }

  async #post(url: string, body: Buffer, mayRepeat: boolean): Promise<void> {
    const { clock, agents, headers } = this.#context;
    const request = agents.request(url, {
      method: 'POST',
      path: '/raft',
      headers: {
        ...headers,
        'Content-Type': 'application/protobuf',
        'Content-Length': body.length,
      },
    });
    this.#requests.add(request);
    const timer = clock.setTimer(POST_TIMEOUT_MILLIS, () => {
      request.destroy(new Error('i/o timeout'));
    });
    try {
      request.end(body);
      await checkPosted(clock, await responseTo(request), `${url}/raft`);
    } catch (error) {
      // A kept connection may be closed in the moment in which it is used again.
      const isStale =
        request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
      if (!isStale || !mayRepeat || this.#stopped) throw error;
      await this.#post(url, body, false);
    } finally {
      timer.cancel();
      this.#requests.delete(request);
    }
  }

  #finish(sentBytes: number, error?: Error): void {
    this.#openPosts--;
    if (this.#stopped) return;
    const { metrics, receiver } = this.#context;
    if (error === undefined) {
      this.#status.activate();
      metrics.sentBytes.with(this.#peer).inc(sentBytes);
    } else {
      logRefusal(this.#context, this.#peer, error);
      this.#status.deactivate({ source: 'pipeline', action: 'write' }, error.message);
      metrics.sentFailures.with(this.#peer).inc();
      receiver.reportUnreachable(this.#id);
      if (error instanceof RefusedAsRemovedError) receiver.reportRemoved();
    }
    this.#pump();
  }

  #facts() {
    return { 'local-member-id': this.#context.localId, 'remote-peer-id': this.#peer };
  }
}
