import { setTimeout as sleep } from 'node:timers/promises';
import { quoteGo } from '../../base/go-format.js';
import { argumentBytes } from '../args/argument-bytes.js';
import type { Terminal } from '../terminal.js';

const GRACE_MILLIS = 2_000;

/** A second key of `del` is easily meant as another key to delete, so etcdctl waits. */
export async function warnBeforeRangeDelete(
  terminal: Terminal,
  key: string,
  end: string,
): Promise<void> {
  const from = quoteGo(argumentBytes(key));
  const to = quoteGo(argumentBytes(end));
  terminal.error(
    `Warning: Keys between ${from} and ${to} will be deleted. Please interrupt the command within next 2 seconds to cancel. You can provide \`--range\` flag to avoid the delay.\n`,
  );
  await sleep(GRACE_MILLIS);
}
