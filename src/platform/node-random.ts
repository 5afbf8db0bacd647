import { randomBytes } from 'node:crypto';
import type { Random } from './random.js';

/** Randomness of the Node process; `bytes` is fit for tokens and keys, the numbers are not. */
export const nodeRandom: Random = {
  float: () => Math.random(),
  integer: (bound) => Math.floor(Math.random() * bound),
  bytes: (count) => randomBytes(count),
};
