import type { ChronicleEntry } from './chronicle.js';
import { showKeyValue } from './operations.js';
import { Violation } from './violation.js';

/** What a watching client was told, over all its connections. */
export type WatchNote =
  | { readonly kind: 'event'; readonly revision: number; readonly text: string }
  /** All events up to that revision have been told. */
  | { readonly kind: 'progress'; readonly revision: number }
  /** The revisions before that one were compacted before they could be told. */
  | { readonly kind: 'compacted'; readonly revision: number };

export interface WatchHistory {
  readonly name: string;
  readonly key: string;
  /** Empty: the one key. */
  readonly end: string;
  /** The first revision that it must be told of; undefined: it never came that far. */
  readonly startRevision: number | undefined;
  readonly notes: readonly WatchNote[];
}

export interface WatchCheckOptions {
  readonly chronicle: readonly ChronicleEntry[];
  /** Highest revision that anybody asked to compact. */
  readonly compactedTo: number;
  readonly watch: WatchHistory;
}

/** An event as a watcher of that range is told of it. */
export function eventText(isDelete: boolean, shown: string): string {
  return `${isDelete ? 'DELETE' : 'PUT'} ${shown}`;
}

/** What a watcher of a range must be told, in order. */
export function expectedEvents(
  chronicle: readonly ChronicleEntry[],
  { key, end }: Pick<WatchHistory, 'key' | 'end'>,
): { readonly revision: number; readonly text: string }[] {
  return chronicle.flatMap(({ revision, events }) =>
    events
      .filter((event) => (end === '' ? event.key === key : event.key >= key && event.key < end))
      .map(({ key: changed, keyValue }) => ({
        revision,
        text:
          keyValue === undefined
            ? eventText(true, changed)
            : eventText(false, showKeyValue(keyValue)),
      })),
  );
}

/**
 * Whether a client was told of all that happened to what it watches, in order, once; and progress
 * was never announced before it was made. What it may have missed is only what was compacted.
 * @returns whether it was told of everything until the end
 * @throws Violation
 */
export function checkWatch({ chronicle, compactedTo, watch }: WatchCheckOptions): boolean {
  const { name, startRevision, notes } = watch;
  if (startRevision === undefined) return chronicle.length === 0;
  const fail = (message: string): never => {
    throw new Violation('watch streams', `${name} on ${watch.key}..${watch.end}: ${message}`);
  };
  const expected = expectedEvents(chronicle, watch);
  let next = 0;
  const skipTo = (revision: number): void => {
    for (let event = expected[next]; event !== undefined; event = expected[next]) {
      if (event.revision >= revision) return;
      next++;
    }
  };
  skipTo(startRevision);
  for (const note of notes) {
    const event = expected[next];
    switch (note.kind) {
      case 'event':
        if (event?.text !== note.text) {
          fail(`told ${note.text} of revision ${note.revision}, not ${event?.text}`);
        }
        next++;
        break;
      case 'progress':
        if (event !== undefined && event.revision <= note.revision) {
          fail(`told of progress to ${note.revision} before ${event.text} of ${event.revision}`);
        }
        break;
      case 'compacted':
        if (note.revision > compactedTo) {
          fail(`told that ${note.revision} is compacted, ${compactedTo} at most is`);
        }
        skipTo(note.revision);
        break;
    }
  }
  return next === expected.length;
}
