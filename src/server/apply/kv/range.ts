import { EMPTY_BYTES, keyBytes, keyText } from '../../../base/bytes.js';
import {
  type RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from '../../../proto/gen/etcdserverpb/rpc.js';
import { encodeKeyValue, valueBytesOf, withoutValue } from '../../../proto/hot/key-value.js';
import type { IndexEntry } from '../../../storage/mvcc/key-index.js';
import type { MvccReader } from '../../../storage/mvcc/reader.js';

/** What a range found. */
export interface RangeResult {
  /** For the header: the store's revision, not the one that was asked for. */
  readonly revision: number;
  /** Encoded KeyValues in the order of the response. */
  readonly keyValues: readonly Buffer[];
  /** Whether the limit cut something off. */
  readonly more: boolean;
  /** Keys in the range, whatever the limit and the filters. */
  readonly count: number;
}

/**
 * Executes a range (reference: semantics 3.3, api 10.2).
 *
 * @throws EtcdError FutureRev, Compacted
 */
export function executeRange(reader: MvccReader, request: RangeRequest): RangeResult {
  const { revision } = reader;
  const atRevision = reader.resolveRevision(request.revision);
  const key = keyText(request.key);
  const rangeEnd = keyText(request.rangeEnd);
  if (request.countOnly) {
    const count = reader.count(key, rangeEnd, atRevision);
    return { revision, keyValues: [], more: false, count };
  }
  const fetchLimit = fetchLimitOf(request);
  const selected = reader.select(key, rangeEnd, atRevision, fetchLimit);
  const isWhole = fetchLimit === 0 || selected.length < fetchLimit;
  const count = isWhole ? selected.length : reader.count(key, rangeEnd, atRevision);
  const filtered = hasFilters(request) ? filter(selected, request) : selected;
  const { limit } = request;
  const more = limit > 0 && filtered.length > limit;
  const keyValues = arrange(reader, filtered, request, more ? limit : filtered.length);
  return { revision, keyValues, more, count };
}

/**
 * How many keys, in key order, are read before sorting; 0: all.
 *
 * Trap: with sort order NONE the limit cuts before the sort, whatever the target; so sorting by
 * creation with limit 1 and no order sees only the first two keys by name.
 */
function fetchLimitOf(request: RangeRequest): number {
  const { limit } = request;
  return limit > 0 && hasDefaultOrder(request) && !hasFilters(request) ? limit + 1 : 0;
}

/** Whether a request counts as one in the order of keys. */
export function hasDefaultOrder({ sortOrder, sortTarget }: RangeRequest): boolean {
  return (
    sortOrder === SortOrder.NONE ||
    (sortOrder === SortOrder.ASCEND && sortTarget === SortTarget.KEY)
  );
}

export function hasFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

function filter(entries: readonly IndexEntry[], request: RangeRequest): IndexEntry[] {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return entries.filter(
    ({ main, created }) =>
      (maxModRevision === 0 || main <= maxModRevision) &&
      (minModRevision === 0 || main >= minModRevision) &&
      (maxCreateRevision === 0 || created <= maxCreateRevision) &&
      (minCreateRevision === 0 || created >= minCreateRevision),
  );
}

/** Sorts, takes the first `length` and encodes them. Only a sort by value needs all the values. */
export function arrange(
  reader: MvccReader,
  entries: IndexEntry[],
  request: RangeRequest,
  length: number,
): Buffer[] {
  const { keysOnly, sortOrder, sortTarget } = request;
  if (sortTarget === SortTarget.VALUE) {
    const sorted = sortByValue(reader, entries, sortOrder === SortOrder.DESCEND).slice(0, length);
    return keysOnly ? sorted.map(withoutValue) : sorted;
  }
  const sorted = sortByNumber(entries, sortOrder, sortTarget);
  const keyValues: Buffer[] = [];
  for (let i = 0; i < length; i++) {
    const entry = sorted[i] as IndexEntry;
    keyValues.push(encodeEntry(reader, entry, keysOnly));
  }
  return keyValues;
}

/** Ties keep the order of keys. */
function sortByNumber(
  entries: IndexEntry[],
  order: SortOrder,
  target: SortTarget,
): readonly IndexEntry[] {
  const sign = order === SortOrder.DESCEND ? -1 : 1;
  switch (target) {
    case SortTarget.VERSION:
      return entries.sort((a, b) => sign * (a.version - b.version));
    case SortTarget.CREATE:
      return entries.sort((a, b) => sign * (a.created - b.created));
    case SortTarget.MOD:
      return entries.sort((a, b) => sign * (a.main - b.main));
    default:
      return sign < 0 ? entries.reverse() : entries;
  }
}

function sortByValue(
  reader: MvccReader,
  entries: readonly IndexEntry[],
  isDescending: boolean,
): Buffer[] {
  const sign = isDescending ? -1 : 1;
  return entries
    .map((entry) => {
      const keyValue = reader.fetch(entry);
      return { keyValue, value: valueBytesOf(keyValue) };
    })
    .sort((a, b) => sign * Buffer.compare(a.value, b.value))
    .map(({ keyValue }) => keyValue);
}

/**
 * The encoded KeyValue of a key that a range selected.
 *
 * Trap: keys alone come from the index, which does not know the lease: it is 0 in the answer.
 */
function encodeEntry(reader: MvccReader, entry: IndexEntry, keysOnly: boolean): Buffer {
  if (!keysOnly) {
    return reader.fetch(entry);
  }
  return encodeKeyValue({
    key: keyBytes(entry.key),
    createRevision: entry.created,
    modRevision: entry.main,
    version: entry.version,
    value: EMPTY_BYTES,
    lease: 0n,
  });
}
