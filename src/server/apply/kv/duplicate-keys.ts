import { type KeyText, keyText } from '../../../base/bytes.js';
import { etcdError } from '../../../proto/errors.js';
import type { RequestOp } from '../../../proto/gen/etcdserverpb/rpc.js';
import { KeyIntervals } from './key-intervals.js';

/** What a branch changes, nested transactions included. */
interface Changes {
  readonly puts: Set<KeyText>;
  readonly deletes: KeyIntervals;
}

/**
 * Refuses a branch that changes a key twice (reference: api 12, duplicate-key analysis).
 *
 * Traps: the rule depends on the order of nested siblings: a nested put followed by a sibling's
 * deletion of the key passes, the other way round it does not. And a deletion of all keys from one
 * on counts as one of nothing, so it passes together with any put.
 *
 * @throws EtcdError DuplicateKey
 */
export function checkDuplicateKeys(operations: readonly RequestOp[]): void {
  changesOf(operations);
}

function changesOf(operations: readonly RequestOp[]): Changes {
  const puts = new Set<KeyText>();
  const deletes = deletesOf(operations);
  for (const { request } of operations) {
    if (request?.$case !== 'requestTxn') {
      continue;
    }
    const success = changesOf(request.value.success);
    const failure = changesOf(request.value.failure);
    for (const key of success.puts) {
      addPut(puts, deletes, key);
    }
    for (const key of failure.puts) {
      // Only one of the two branches will run, so both may put the same key.
      if (!success.puts.has(key)) {
        addPut(puts, deletes, key);
      }
    }
    deletes.addAll(success.deletes);
    deletes.addAll(failure.deletes);
  }
  for (const { request } of operations) {
    if (request?.$case === 'requestPut') {
      addPut(puts, deletes, keyText(request.value.key));
    }
  }
  return { puts, deletes };
}

function addPut(puts: Set<KeyText>, deletes: KeyIntervals, key: KeyText): void {
  if (puts.has(key) || deletes.has(key)) {
    throw etcdError('DuplicateKey');
  }
  puts.add(key);
}

function deletesOf(operations: readonly RequestOp[]): KeyIntervals {
  const deletes = new KeyIntervals();
  for (const { request } of operations) {
    if (request?.$case === 'requestDeleteRange') {
      const key = keyText(request.value.key);
      const rangeEnd = keyText(request.value.rangeEnd);
      // The end \0 is not special here: the interval up to it is empty.
      deletes.add(key, rangeEnd === '' ? `${key}\0` : rangeEnd);
    }
  }
  return deletes;
}
