import { keyText } from '../../base/bytes.js';
import { encodeDeletedKeyValue, keyOf, versionOf } from '../../proto/hot/key-value.js';
import type { Row } from '../backend/backend.js';
import { encodeRevisionKey, isTombstoneKey, mainRevisionOf } from './revision-key.js';
import type { MvccState } from './state.js';
import type { MvccChange, MvccEvent } from './types.js';

/** The changes from revision `from` on, read from the rows of the backend, whole revisions each. */
export function* readChanges(state: MvccState, from: number): Generator<MvccChange> {
  const start = encodeRevisionKey(Math.max(0, from), 0);
  let revision = 0;
  let events: MvccEvent[] = [];
  for (const row of state.backend.range('key', start)) {
    const main = mainRevisionOf(row[0]);
    if (main !== revision && events.length > 0) {
      yield { revision, events };
      events = [];
    }
    revision = main;
    events.push(eventOf(row, main));
  }
  if (events.length > 0) {
    yield { revision, events };
  }
}

function eventOf([rowKey, value]: Row, main: number): MvccEvent {
  const key = keyOf(value);
  const isDelete = isTombstoneKey(rowKey);
  return {
    isDelete,
    key: keyText(key),
    keyValue: isDelete ? encodeDeletedKeyValue(key, main) : value,
    isCreate: !isDelete && versionOf(value) === 1,
    modRevision: main,
  };
}
