import type { Clock } from './clock.js';

/** The clock and the timers of the Node process. Its timers keep the process alive. */
export const nodeClock: Clock = {
  wallMillis: () => Date.now(),
  monotonicMillis: () => performance.now(),
  setTimer(delayMillis, callback) {
    const timer = setTimeout(callback, delayMillis);
    return { cancel: () => clearTimeout(timer) };
  },
  defer(callback) {
    setImmediate(callback);
  },
  setPeriodic(intervalMillis, callback) {
    const timer = setInterval(callback, intervalMillis);
    return { cancel: () => clearInterval(timer) };
  },
};
