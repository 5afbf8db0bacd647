import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Counter } from '../../base/metrics.js';
import type { Timer } from '../../platform/clock.js';
import { DecodeError } from '../../proto/decode-error.js';
import { formatId } from '../membership/member.js';
import { ByteQueue } from './byte-queue.js';
import type { Delivery } from './delivery.js';
import { FrameError } from './frame-error.js';
import { logRefusal, type PeerContext } from './peer-context.js';
import { preconditionError, RefusedAsRemovedError } from './peer-errors.js';
import type { PeerStatus } from './peer-status.js';
import { compareVersions, parseVersion, servesStreams } from './peer-version.js';
import { readText } from './read-text.js';
import { createDecoder, isLinkHeartbeat, STREAM_TITLES, type StreamKind } from './stream-codec.js';
import type { UrlPicker } from './url-picker.js';

/** Least time between two attempts; it never grows (reference: raft-and-peers B2). */
const REDIAL_MILLIS = 100;

export interface StreamReaderOptions {
  readonly context: PeerContext;
  readonly kind: StreamKind;
  readonly id: bigint;
  readonly picker: UrlPicker;
  readonly status: PeerStatus;
  readonly delivery: Delivery;
}

/** The peer is too old to serve streams; that is no failure. */
class UnsupportedStreamError extends Error {
  override readonly name = 'UnsupportedStreamError';
}

/** Dials a peer for one of its streams, again and again, and delivers what comes. */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  readonly #context: PeerContext;
  readonly #peer: string;
  readonly #title: string;
  readonly #receivedBytes: Counter;
  readonly #heartbeatBytes: Counter;
  #request: ClientRequest | undefined;
  /** Of the next attempt, or of the silence on this connection. */
  #timer: Timer | undefined;
  #lastDial = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#peer = formatId(options.id);
    this.#title = STREAM_TITLES[options.kind];
    const { receivedBytes } = options.context.metrics;
    this.#receivedBytes = receivedBytes.with(this.#peer);
    // Link heartbeats come from nobody.
    this.#heartbeatBytes = receivedBytes.with('0');
  }

  start(): void {
    this.#context.logger.info('started stream reader with remote peer', this.#facts());
    this.#dial();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    this.#request?.destroy();
    this.#context.logger.info('stopped stream reader with remote peer', this.#facts());
  }

  #dial(): void {
    const { context, kind, picker } = this.#options;
    const url = picker.pick();
    this.#lastDial = context.clock.monotonicMillis();
    const request = context.agents.request(url, {
      method: 'GET',
      path: `/raft/stream/${kind}/${context.localId}`,
      headers: { ...context.headers, 'X-Raft-To': this.#peer },
      ownConnection: true,
    });
    this.#request = request;
    const timer = context.clock.setTimer(
      context.dialTimeoutMillis + context.readTimeoutMillis,
      () => request.destroy(new Error('i/o timeout')),
    );
    request.on('error', (error) => {
      timer.cancel();
      this.#failDial(request, url, error);
    });
    request.on('response', (response) => {
      this.#judge(response).then(
        () => {
          timer.cancel();
          this.#read(request, response);
        },
        (error: Error) => {
          timer.cancel();
          this.#failDial(request, url, error);
          request.destroy();
        },
      );
    });
    request.end();
  }

  /** @throws Error if the peer does not serve the stream */
  async #judge(response: IncomingMessage): Promise<void> {
    const { serverVersion, localId } = this.#context;
    // Trap: a response without a version comes from a server that is too old for streams.
    const remote = parseVersion(header(response, 'x-server-version'));
    const local = parseVersion(serverVersion);
    if (remote === undefined || local === undefined) throw new Error('malformed server version');
    if (compareVersions(remote, local) < 0 && !servesStreams(remote)) {
      throw new UnsupportedStreamError('unsupported stream type');
    }
    switch (response.statusCode) {
      case 200:
        return;
      case 404:
        throw new Error(`peer ${this.#peer} failed to find local node ${localId}`);
      case 410:
        throw new RefusedAsRemovedError();
      case 412:
        throw preconditionError(await readText(response), response.headers);
      default:
        throw new Error(`unhandled http status ${response.statusCode}`);
    }
  }

  #failDial(request: ClientRequest, url: string, error: Error): void {
    if (!this.#isCurrent(request)) return;
    const { picker, status, context } = this.#options;
    picker.unreachable(url);
    logRefusal(context, this.#peer, error);
    if (!(error instanceof UnsupportedStreamError)) {
      status.deactivate({ source: this.#title, action: 'dial' }, error.message);
    }
    if (error instanceof RefusedAsRemovedError) context.receiver.reportRemoved();
    this.#dialAgain();
  }

  #read(request: ClientRequest, response: IncomingMessage): void {
    if (!this.#isCurrent(request)) return;
    const { context, kind, id, status } = this.#options;
    const queue = new ByteQueue();
    const decoder = createDecoder(kind, context.identity.memberId, id);
    status.activate();
    context.logger.info('established TCP streaming connection with remote peer', this.#facts());
    const silence = this.#watchSilence(request);
    response.on('data', (chunk: Buffer) => {
      if (!this.#isCurrent(request)) return;
      silence.lastData = context.clock.monotonicMillis();
      queue.push(chunk);
      try {
        this.#deliver(queue, decoder);
      } catch (error) {
        if (!(error instanceof FrameError) && !(error instanceof DecodeError)) throw error;
        this.#lose(request, error);
      }
    });
    response.on('error', (error) => this.#lose(request, request.errored ?? error));
    response.on('end', () => this.#lose(request, undefined));
  }

  #deliver(queue: ByteQueue, decoder: ReturnType<typeof createDecoder>): void {
    const { delivery } = this.#options;
    for (;;) {
      const before = queue.taken;
      const message = decoder.decode(queue);
      if (message === undefined) return;
      const bytes = queue.taken - before;
      if (isLinkHeartbeat(message)) {
        this.#heartbeatBytes.inc(bytes);
      } else {
        this.#receivedBytes.inc(bytes);
        delivery.deliver(message);
      }
    }
  }

  #watchSilence(request: ClientRequest): { lastData: number } {
    const { clock, readTimeoutMillis } = this.#context;
    const silence = { lastData: clock.monotonicMillis() };
    const look = (): void => {
      const rest = silence.lastData + readTimeoutMillis - clock.monotonicMillis();
      if (rest <= 0) this.#lose(request, new Error('i/o timeout'));
      else this.#timer = clock.setTimer(rest, look);
    };
    this.#timer = clock.setTimer(readTimeoutMillis, look);
    return silence;
  }

  /** @param error undefined: the peer ended the stream in order */
  #lose(request: ClientRequest, error: Error | undefined): void {
    if (!this.#isCurrent(request)) return;
    this.#timer?.cancel();
    this.#context.logger.warn('lost TCP streaming connection with remote peer', {
      ...this.#facts(),
      error: error?.message ?? 'EOF',
    });
    if (error !== undefined) {
      this.#options.status.deactivate({ source: this.#title, action: 'read' }, error.message);
    }
    this.#dialAgain();
    request.destroy();
  }

  #dialAgain(): void {
    this.#request = undefined;
    if (this.#stopped) return;
    const { clock } = this.#context;
    const delay = Math.max(0, this.#lastDial + REDIAL_MILLIS - clock.monotonicMillis());
    this.#timer = clock.setTimer(delay, () => this.#dial());
  }

  /** Whether an event of that request still matters. */
  #isCurrent(request: ClientRequest): boolean {
    return !this.#stopped && this.#request === request;
  }

  #facts() {
    return {
      'stream-reader-type': this.#title,
      'local-member-id': this.#context.localId,
      'remote-peer-id': this.#peer,
    };
  }
}

function header(response: IncomingMessage, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : undefined;
}
