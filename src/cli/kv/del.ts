import type { DeleteRangeRequest } from '../../proto/gen/etcdserverpb/rpc.js';
import { boolFlag, type FlagValues } from '../args/flags.js';
import { CommandFailure, ExitCode } from '../exit.js';
import { keyRange } from './key-range.js';

export const DEL_USAGE = 'del [options] <key> [range_end]';

export const DEL_FLAGS = {
  prefix: boolFlag('delete keys with matching prefix'),
  'prev-kv': boolFlag('return deleted key-value pairs'),
  'from-key': boolFlag(
    'delete keys that are greater than or equal to the given key using byte compare',
  ),
  range: boolFlag('delete range of keys'),
};

export type DelFlags = FlagValues<typeof DEL_FLAGS>;

/**
 * The request of a `del` command line (reference: cli 4.3).
 * @throws CommandFailure
 */
export function deleteRequest(positionals: readonly string[], flags: DelFlags): DeleteRangeRequest {
  if (positionals.length === 0 || positionals.length > 2) {
    throw badArguments(
      'del command needs one argument as key and an optional argument as range_end',
    );
  }
  if (flags.prefix && flags['from-key']) {
    throw badArguments('`--prefix` and `--from-key` cannot be set at the same time, choose one');
  }
  const [key = '', end] = positionals;
  if (end !== undefined && (flags.prefix || flags['from-key'])) {
    throw badArguments(
      'too many arguments, only accept one argument when `--prefix` or `--from-key` is set',
    );
  }
  return { ...keyRange(key, end, flags), prevKv: flags['prev-kv'] };
}

function badArguments(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
