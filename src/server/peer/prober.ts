import { formatGoMillis } from '../../base/go-format.js';
import type { Timer } from '../../platform/clock.js';
import { formatId } from '../membership/member.js';
import type { PeerContext } from './peer-context.js';
import { responseTo } from './post-answer.js';
import { readText } from './read-text.js';
import type { UrlPicker } from './url-picker.js';

/** Which connections are probed, as log lines name them. */
export type ProbedTransport = 'ROUND_TRIPPER_SNAPSHOT' | 'ROUND_TRIPPER_RAFT_MESSAGE';

/** A probe comes so much before the read timeout would close an idle connection. */
const PROBE_LEAD_MILLIS = 1000;
/** How often the results are looked at: of a healthy peer, and else (reference: B2). */
const HEALTHY_LOOK_MILLIS = 30_000;
const UNHEALTHY_LOOK_MILLIS = 5000;
const MAX_CLOCK_DIFFERENCE_MILLIS = 1000;
/** Weight of the newest round trip in the smoothed one. */
const SMOOTHING = 0.125;

/** Asks a peer now and then whether it is there and what time it has. */
export class Prober {
  readonly #context: PeerContext;
  readonly #transport: ProbedTransport;
  readonly #peer: string;
  readonly #picker: UrlPicker;
  /** Which URL is probed; a failure goes on to the next. */
  #position = 0;
  #probing: Timer | undefined;
  #looking: Timer | undefined;
  #isOpen = false;
  #error: string | undefined = 'not probed yet';
  #roundTripMillis = 0;
  #clockDifferenceMillis = 0;

  constructor(context: PeerContext, transport: ProbedTransport, id: bigint, picker: UrlPicker) {
    this.#context = context;
    this.#transport = transport;
    this.#peer = formatId(id);
    this.#picker = picker;
  }

  start(): void {
    const { clock, readTimeoutMillis } = this.#context;
    this.#probing = clock.setPeriodic(readTimeoutMillis - PROBE_LEAD_MILLIS, () => this.#begin());
    this.#looking = clock.setTimer(UNHEALTHY_LOOK_MILLIS, () => this.#look());
  }

  stop(): void {
    this.#probing?.cancel();
    this.#looking?.cancel();
  }

  #begin(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#probe().then(
      () => this.#finish(undefined),
      (error: Error) => this.#finish(error.message),
    );
  }

  #finish(error: string | undefined): void {
    this.#isOpen = false;
    this.#error = error;
    this.#context.logger.debug('probed remote peer', {
      'round-tripper-name': this.#transport,
      'remote-peer-id': this.#peer,
      ...(error === undefined ? {} : { error }),
    });
    if (error !== undefined) this.#position++;
  }

  async #probe(): Promise<void> {
    const { clock, agents, dialTimeoutMillis, readTimeoutMillis } = this.#context;
    const { urls } = this.#picker;
    const url = urls[this.#position % urls.length] ?? this.#picker.pick();
    const wallStart = clock.wallMillis();
    const start = clock.monotonicMillis();
    const request = agents.request(url, {
      method: 'GET',
      path: '/raft/probing',
      ownConnection: this.#transport === 'ROUND_TRIPPER_SNAPSHOT',
    });
    const timer = clock.setTimer(dialTimeoutMillis + readTimeoutMillis, () => {
      request.destroy(new Error('i/o timeout'));
    });
    try {
      request.end();
      const now = timeOf(await readText(await responseTo(request)));
      const roundTrip = clock.monotonicMillis() - start;
      this.#roundTripMillis += SMOOTHING * (roundTrip - this.#roundTripMillis);
      this.#clockDifferenceMillis = now - wallStart - roundTrip / 2;
    } finally {
      timer.cancel();
    }
  }

  #look(): void {
    const { clock, logger, metrics } = this.#context;
    const error = this.#error;
    const facts = {
      'round-tripper-name': this.#transport,
      'remote-peer-id': this.#peer,
      rtt: formatGoMillis(this.#roundTripMillis),
    };
    if (error !== undefined) logger.warn('prober detected unhealthy status', { ...facts, error });
    if (Math.abs(this.#clockDifferenceMillis) > MAX_CLOCK_DIFFERENCE_MILLIS) {
      logger.warn('prober found high clock drift', {
        ...facts,
        'clock-drift': formatGoMillis(this.#clockDifferenceMillis),
      });
    }
    metrics.roundTripSeconds.with(this.#peer).observe(this.#roundTripMillis / 1000);
    const pause = error === undefined ? HEALTHY_LOOK_MILLIS : UNHEALTHY_LOOK_MILLIS;
    this.#looking = clock.setTimer(pause, () => this.#look());
  }
}

/** @throws Error if a peer's answer is none, or says that it is not well */
function timeOf(body: string): number {
  const answer: unknown = JSON.parse(body);
  if (typeof answer !== 'object' || answer === null) throw new Error('not a health record');
  const { OK: isOk, Now: now } = answer as Record<string, unknown>;
  const time = Date.parse(String(now));
  if (isOk !== true || Number.isNaN(time)) throw new Error(`not healthy: ${body.slice(0, 100)}`);
  return time;
}
