import { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';
import type { MvccChange } from '../../src/storage/mvcc/types.js';
import type { ModelEvent } from '../support/keyspace-model.js';
import { showKeyValue } from './operations.js';
import { Violation } from './violation.js';

/** What one revision changed. */
export interface ChronicleEntry {
  readonly revision: number;
  readonly events: readonly ModelEvent[];
  /** When the first member applied it, virtual ms. */
  readonly time: number;
}

interface Noted extends ChronicleEntry {
  /** The rows as the store has them, to be compared. */
  readonly digest: string;
}

/**
 * What the members did to their keys, revision by revision: the first to apply a revision says what
 * it is, all the others must come to the same.
 */
export class Chronicle {
  /** The first is revision 2: an empty store is at 1. */
  readonly #entries: Noted[] = [];

  get lastRevision(): number {
    return this.#entries.length + 1;
  }

  get entries(): readonly ChronicleEntry[] {
    return this.#entries;
  }

  at(revision: number): ChronicleEntry | undefined {
    return this.#entries[revision - 2];
  }

  /** Takes down what a member did. */
  note(who: string, change: MvccChange, time: number): void {
    const digest = digestOf(change);
    const known = this.#entries[change.revision - 2];
    if (known === undefined) {
      if (change.revision !== this.lastRevision + 1) {
        throw new Violation(
          'state machine',
          `${who} made revision ${change.revision}, the first \
after ${this.lastRevision}`,
        );
      }
      const events = change.events.map(({ key, isDelete, keyValue }) => ({
        key,
        keyValue: isDelete ? undefined : KeyValue.decode(keyValue),
      }));
      this.#entries.push({ revision: change.revision, events, time, digest });
      return;
    }
    if (known.digest === digest) return;
    throw new Violation(
      'state machine',
      `revision ${change.revision} is on ${who} ${JSON.stringify(digest)}, on another member ` +
        `${showEvents(known.events)} ${JSON.stringify(known.digest)}`,
    );
  }
}

function digestOf({ events }: MvccChange): string {
  return events
    .map(({ isDelete, keyValue }) => (isDelete ? '-' : '+') + keyValue.toString('latin1'))
    .join('|');
}

export function showEvents(events: readonly ModelEvent[]): string {
  return events
    .map(({ key, keyValue }) => (keyValue ? `PUT ${showKeyValue(keyValue)}` : `DELETE ${key}`))
    .join(', ');
}
