/** A disk that usually takes less is fast: handing the write to a thread would take as long, ms. */
const FAST_MILLIS = 1;
/** After one write that took longer nobody waits again before trust is rebuilt, ms. */
const STALL_MILLIS = 10;
/** How far one write moves the estimate. */
const STEP = 1.25;
/** Bounds of the estimate: about six slow writes lose all trust, ten fast ones win it. */
const LEAST_MILLIS = FAST_MILLIS / 4;
const MOST_MILLIS = FAST_MILLIS * 8;

/**
 * How long the writes to a file usually take. The estimate follows their median, because a few that
 * wait long for a busy processor say nothing about the disk. A disk is slow until it proves fast.
 */
export class WritePace {
  #estimateMillis = MOST_MILLIS;

  get isFast(): boolean {
    return this.#estimateMillis <= FAST_MILLIS;
  }

  /** Takes note of a write that took so long. */
  note(millis: number): void {
    if (millis > STALL_MILLIS) {
      this.#estimateMillis = MOST_MILLIS;
      return;
    }
    const moved =
      millis > this.#estimateMillis ? this.#estimateMillis * STEP : this.#estimateMillis / STEP;
    this.#estimateMillis = Math.min(MOST_MILLIS, Math.max(LEAST_MILLIS, moved));
  }
}
