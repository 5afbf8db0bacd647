import { setTimeout as sleep } from 'node:timers/promises';

/** What takes longer than this does not happen any more, ms. */
const PATIENCE_MILLIS = 30_000;
const POLL_MILLIS = 10;

/** A reason to wait no longer. */
export class GaveUp extends Error {}

/** Waits until a condition holds; one that rejects does not hold yet. */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  patienceMillis = PATIENCE_MILLIS,
): Promise<void> {
  const end = performance.now() + patienceMillis;
  let last: unknown;
  for (;;) {
    try {
      if (await holds()) return;
      last = undefined;
    } catch (error) {
      if (error instanceof GaveUp) throw error;
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`waited in vain until ${what}${last === undefined ? '' : `: ${last}`}`);
    }
    await sleep(POLL_MILLIS);
  }
}
