import { EMPTY_BYTES, keyText } from '../../../base/bytes.js';
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
} from '../../../proto/gen/etcdserverpb/rpc.js';
import { leaseOf, valueBytesOf } from '../../../proto/hot/key-value.js';
import type { IndexEntry } from '../../../storage/mvcc/key-index.js';
import type { MvccReader } from '../../../storage/mvcc/reader.js';

/** What an absent key compares as. */
const ABSENT: Pick<IndexEntry, 'main' | 'created' | 'version'> = {
  main: 0,
  created: 0,
  version: 0,
};

/**
 * Whether a compare holds now. With a range every key in it must satisfy it; an empty range counts
 * as an absent key (reference: semantics 3.6).
 *
 * Trap: on an absent key a compare of the value is false whatever the relation, NOT_EQUAL too; all
 * other targets compare as 0.
 */
export function evaluateCompare(reader: MvccReader, compare: Compare): boolean {
  const entries = reader.select(
    keyText(compare.key),
    keyText(compare.rangeEnd),
    reader.revision,
    0,
  );
  if (entries.length > 0) {
    return entries.every((entry) => isSatisfied(compare, orderOf(reader, compare, entry)));
  }
  if (compare.target === CompareTarget.VALUE) {
    return false;
  }
  return isSatisfied(compare, orderOf(undefined, compare, ABSENT));
}

/** The sign of the stored value minus the given one. A missing or other target union gives 0. */
function orderOf(
  reader: MvccReader | undefined,
  compare: Compare,
  stored: Pick<IndexEntry, 'main' | 'created' | 'version'> & { readonly sub?: number },
): number {
  const union = compare.targetUnion;
  switch (compare.target) {
    case CompareTarget.VERSION:
      return stored.version - (union?.$case === 'version' ? union.value : 0);
    case CompareTarget.CREATE:
      return stored.created - (union?.$case === 'createRevision' ? union.value : 0);
    case CompareTarget.MOD:
      return stored.main - (union?.$case === 'modRevision' ? union.value : 0);
    case CompareTarget.VALUE: {
      const given = union?.$case === 'value' ? union.value : EMPTY_BYTES;
      return Buffer.compare(valueBytesOf(keyValueOf(reader, stored)), given);
    }
    case CompareTarget.LEASE: {
      const given = union?.$case === 'lease' ? union.value : 0n;
      const lease = leaseOf(keyValueOf(reader, stored));
      return lease === given ? 0 : lease < given ? -1 : 1;
    }
    default:
      return 0;
  }
}

/** Value and lease are not in the index; an absent key has neither. */
function keyValueOf(
  reader: MvccReader | undefined,
  { main, sub }: { readonly main: number; readonly sub?: number },
): Buffer {
  return reader === undefined || sub === undefined ? EMPTY_BYTES : reader.fetch({ main, sub });
}

function isSatisfied(compare: Compare, order: number): boolean {
  switch (compare.result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    case CompareResult.LESS:
      return order < 0;
    default:
      // Trap: a relation that nobody knows holds.
      return true;
  }
}
