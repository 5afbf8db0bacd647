import { quoteGo } from '../../base/go-format.js';
import type { WatchOptions } from '../../client/watcher.js';
import type { ParsedArguments } from '../args/flag-set.js';
import { boolFlag, type FlagValues, valueFlag } from '../args/flags.js';
import { keyRange } from '../kv/key-range.js';

export const WATCH_FLAGS = {
  interactive: boolFlag('Interactive mode', { short: 'i' }),
  prefix: boolFlag('Watch on a prefix if prefix is set'),
  rev: valueFlag('int', '0', 'Revision to start watching'),
  'prev-kv': boolFlag('get the previous key-value pair before the event happens'),
  'progress-notify': boolFlag('get periodic watch progress notification from server'),
};

export type WatchFlags = FlagValues<typeof WATCH_FLAGS>;

/** Variables that stand for the key and the end of its range. */
export const WATCH_VARIABLES = ['ETCDCTL_WATCH_KEY', 'ETCDCTL_WATCH_RANGE_END'] as const;

/** Wrong arguments; the text is etcdctl's. */
export class WatchArgumentError extends Error {
  override readonly name = 'WatchArgumentError';
}

/** Key and range end that the environment gives, empty for none. */
export interface WatchEnvironment {
  readonly key: string;
  readonly rangeEnd: string;
}

/** @throws WatchArgumentError for an end without a key */
export function watchEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): WatchEnvironment {
  const key = environment.ETCDCTL_WATCH_KEY ?? '';
  const rangeEnd = environment.ETCDCTL_WATCH_RANGE_END ?? '';
  if (key === '' && rangeEnd !== '') {
    throw new WatchArgumentError(
      `ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=${quoteGo(rangeEnd)}`,
    );
  }
  return { key, rangeEnd };
}

/** What to watch and what to run for each event. */
export interface WatchArguments {
  readonly keys: readonly string[];
  readonly exec: readonly string[];
}

/**
 * Keys and exec command of a watch (reference: cli 4.6). etcdctl finds where the keys end by looking
 * backwards for the command's first word, which goes wrong for `watch foo -- echo echo`; this splits
 * at `--`.
 * @throws WatchArgumentError
 */
export function watchArguments(
  input: Pick<ParsedArguments<typeof WATCH_FLAGS>, 'positionals' | 'beforeDash'>,
  environment: WatchEnvironment,
): WatchArguments {
  const { positionals, beforeDash } = input;
  const given = positionals.slice(0, beforeDash);
  const exec = beforeDash === undefined ? [] : positionals.slice(beforeDash);
  if (beforeDash !== undefined && exec.length === 0) {
    throw new WatchArgumentError('bad number of arguments (found separator --, but no commands)');
  }
  if (given.length === 0 && environment.key === '') {
    throw new WatchArgumentError('bad number of arguments');
  }
  if (given.length > 0 && environment.key !== '') {
    throw new WatchArgumentError('bad number of arguments (found conflicting environment key)');
  }
  const fromEnvironment = [environment.key, environment.rangeEnd].filter((text) => text !== '');
  return { keys: [...fromEnvironment, ...given], exec };
}

/**
 * The watch that the arguments ask for. With three keys or more only the first counts.
 * @throws WatchArgumentError
 */
export function watchOptions(keys: readonly string[], flags: WatchFlags): WatchOptions {
  const [key = '', end] = keys;
  const rangeEnd = keys.length === 2 ? end : undefined;
  if (rangeEnd !== undefined && flags.prefix) {
    throw new WatchArgumentError('`range_end` and `--prefix` are mutually exclusive');
  }
  return {
    ...keyRange(key, rangeEnd, { prefix: flags.prefix, 'from-key': false }),
    startRevision: flags.rev,
    prevKv: flags['prev-kv'],
    progressNotify: flags['progress-notify'],
    requireLeader: true,
  };
}
