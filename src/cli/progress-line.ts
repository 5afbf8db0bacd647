import { humanizeBytes } from '../base/go-format.js';
import type { Clock } from '../platform/clock.js';
import type { Terminal } from './terminal.js';

/** Time between two pictures of the bar on a terminal, and between two lines elsewhere, ms. */
const BAR_MILLIS = 100;
const LINE_MILLIS = 10_000;
const BAR_CHARACTERS = 30;

/**
 * Tells on stderr how far a long work is: a bar on a terminal, a line now and then elsewhere. Short
 * work shows nothing.
 */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #clock: Pick<Clock, 'monotonicMillis'>;
  readonly #label: string;
  readonly #started: number;
  #lastShown: number;
  #isShown = false;

  constructor(terminal: Terminal, clock: Pick<Clock, 'monotonicMillis'>, label: string) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#label = label;
    this.#started = clock.monotonicMillis();
    this.#lastShown = this.#started;
  }

  /** Both in bytes. */
  update(done: number, total: number): void {
    const now = this.#clock.monotonicMillis();
    const { errorIsTerminal } = this.#terminal;
    if (now - this.#lastShown < (errorIsTerminal ? BAR_MILLIS : LINE_MILLIS)) return;
    this.#lastShown = now;
    const fraction = total > 0 ? Math.min(1, done / total) : 0;
    const perSecond = (done * 1000) / Math.max(1, now - this.#started);
    const facts = `${Math.floor(fraction * 100)}% of ${humanizeBytes(total)}, ${humanizeBytes(perSecond)}/s`;
    if (!errorIsTerminal) {
      this.#terminal.error(`${this.#label}: ${facts}\n`);
      return;
    }
    const full = Math.round(fraction * BAR_CHARACTERS);
    const bar = '█'.repeat(full) + '░'.repeat(BAR_CHARACTERS - full);
    this.#terminal.error(`\r\x1b[K${this.#label} ${bar} ${facts}`);
    this.#isShown = true;
  }

  /** Wipes the bar away. */
  end(): void {
    if (this.#isShown) this.#terminal.error('\r\x1b[K');
    this.#isShown = false;
  }
}
