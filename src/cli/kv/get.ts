import { quoteGo } from '../../base/go-format.js';
import {
  type RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { argumentBytes } from '../args/argument-bytes.js';
import { boolFlag, type FlagValues, valueFlag } from '../args/flags.js';
import { CommandFailure, ExitCode } from '../exit.js';
import { keyRange } from './key-range.js';

export const GET_USAGE = 'get [options] <key> [range_end]';

export const GET_FLAGS = {
  consistency: valueFlag('string', 'l', 'Linearizable(l) or Serializable(s)'),
  order: valueFlag('string', '', 'Order of results; ASCEND or DESCEND (ASCEND by default)'),
  'sort-by': valueFlag('string', '', 'Sort target; CREATE, KEY, MODIFY, VALUE, or VERSION'),
  limit: valueFlag('int', '0', 'Maximum number of results'),
  prefix: boolFlag('Get keys with matching prefix'),
  'from-key': boolFlag(
    'Get keys that are greater than or equal to the given key using byte compare',
  ),
  rev: valueFlag('int', '0', 'Specify the kv revision'),
  'keys-only': boolFlag('Get only the keys'),
  'count-only': boolFlag('Get only the count'),
  'print-value-only': boolFlag('Only write values when using the "simple" output format'),
  'min-create-rev': valueFlag('int', '0', 'Minimum create revision'),
  'max-create-rev': valueFlag('int', '0', 'Maximum create revision'),
  'min-mod-rev': valueFlag('int', '0', 'Minimum modification revision'),
  'max-mod-rev': valueFlag('int', '0', 'Maximum modification revision'),
  stream: boolFlag('Use the RangeStream RPC'),
};

export type GetFlags = FlagValues<typeof GET_FLAGS>;

const SORT_ORDERS: Readonly<Record<string, SortOrder>> = {
  '': SortOrder.NONE,
  ASCEND: SortOrder.ASCEND,
  DESCEND: SortOrder.DESCEND,
};

const SORT_TARGETS: Readonly<Record<string, SortTarget>> = {
  '': SortTarget.KEY,
  CREATE: SortTarget.CREATE,
  KEY: SortTarget.KEY,
  MODIFY: SortTarget.MOD,
  VALUE: SortTarget.VALUE,
  VERSION: SortTarget.VERSION,
};

/**
 * The request of a `get` command line (reference: cli 4.2).
 * @throws CommandFailure
 */
export function rangeRequest(positionals: readonly string[], flags: GetFlags): RangeRequest {
  checkCombination(positionals, flags);
  const [key = '', end] = positionals;
  if (end !== undefined && (flags.prefix || flags['from-key'])) {
    throw badArguments(
      'too many arguments, only accept one argument when `--prefix` or `--from-key` is set',
    );
  }
  const sortOrder = lookUp(SORT_ORDERS, flags.order, 'order');
  const sortTarget = lookUp(SORT_TARGETS, flags['sort-by'], 'target');
  const minCreateRevision = Math.max(0, flags['min-create-rev']);
  const maxCreateRevision = Math.max(0, flags['max-create-rev']);
  const minModRevision = Math.max(0, flags['min-mod-rev']);
  const maxModRevision = Math.max(0, flags['max-mod-rev']);
  checkBounds('CreateRev', minCreateRevision, maxCreateRevision);
  checkBounds('ModRev', minModRevision, maxModRevision);
  return {
    ...keyRange(key, end, flags),
    limit: flags.limit,
    revision: Math.max(0, flags.rev),
    // Keys in rising order are what a server sends unsorted.
    sortOrder:
      sortTarget === SortTarget.KEY && sortOrder === SortOrder.ASCEND ? SortOrder.NONE : sortOrder,
    sortTarget,
    serializable: flags.consistency === 's',
    keysOnly: flags['keys-only'],
    countOnly: flags['count-only'],
    minModRevision,
    maxModRevision,
    minCreateRevision,
    maxCreateRevision,
  };
}

function checkCombination(positionals: readonly string[], flags: GetFlags): void {
  if (positionals.length === 0) {
    throw badArguments(
      'get command needs one argument as key and an optional argument as range_end',
    );
  }
  if (flags.prefix && flags['from-key']) {
    throw badArguments('`--prefix` and `--from-key` cannot be set at the same time, choose one');
  }
  if (flags['keys-only'] && flags['count-only']) {
    throw badArguments(
      '`--keys-only` and `--count-only` cannot be set at the same time, choose one',
    );
  }
  if (flags.consistency !== 'l' && flags.consistency !== 's') {
    const shown = quoteGo(argumentBytes(flags.consistency));
    throw new CommandFailure(ExitCode.BadFeature, `unknown consistency flag ${shown}`);
  }
}

function lookUp<Value>(table: Readonly<Record<string, Value>>, text: string, kind: string): Value {
  const name = text.toUpperCase();
  const value = Object.hasOwn(table, name) ? table[name] : undefined;
  if (value === undefined) {
    throw new CommandFailure(ExitCode.BadFeature, `bad sort ${kind} ${text}`);
  }
  return value;
}

function checkBounds(name: string, least: number, most: number): void {
  if (most > 0 && least > most) {
    throw new CommandFailure(
      ExitCode.BadFeature,
      `getMin${name}(=${least}) > getMax${name}(=${most})`,
    );
  }
}

function badArguments(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
