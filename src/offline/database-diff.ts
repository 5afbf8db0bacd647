import type { KeyText } from '../base/bytes.js';
import type { LiveEntry } from './live-entries.js';

/** One key that two databases do not have alike. */
export type KeyDifference =
  | { readonly kind: 'added'; readonly key: KeyText; readonly after: LiveEntry }
  | { readonly kind: 'removed'; readonly key: KeyText; readonly before: LiveEntry }
  | {
      readonly kind: 'changed';
      readonly key: KeyText;
      readonly before: LiveEntry;
      readonly after: LiveEntry;
    };

export interface DiffOptions {
  /**
   * Keys with the same value and lease differ too if their revisions or versions do. Default
   * false: copies in another cluster have other revisions.
   */
  readonly comparesRevisions?: boolean;
}

/** What differs between two lists of keys, each in the order of the keys; in that order too. */
export async function* differences(
  before: AsyncIterable<LiveEntry>,
  after: AsyncIterable<LiveEntry>,
  { comparesRevisions = false }: DiffOptions = {},
): AsyncGenerator<KeyDifference> {
  const left = before[Symbol.asyncIterator]();
  const right = after[Symbol.asyncIterator]();
  try {
    // One after the other: both may read files, and keep much in memory while they do.
    let a: LiveEntry | undefined = (await left.next()).value;
    let b: LiveEntry | undefined = (await right.next()).value;
    while (a !== undefined || b !== undefined) {
      if (b === undefined || (a !== undefined && a.key < b.key)) {
        if (a === undefined) return;
        yield { kind: 'removed', key: a.key, before: a };
        a = (await left.next()).value;
      } else if (a === undefined || b.key < a.key) {
        yield { kind: 'added', key: b.key, after: b };
        b = (await right.next()).value;
      } else {
        if (!isSame(a, b, comparesRevisions)) {
          yield { kind: 'changed', key: a.key, before: a, after: b };
        }
        a = (await left.next()).value;
        b = (await right.next()).value;
      }
    }
  } finally {
    await left.return?.();
    await right.return?.();
  }
}

function isSame(a: LiveEntry, b: LiveEntry, comparesRevisions: boolean): boolean {
  if (a.lease !== b.lease || a.valueHash !== b.valueHash) return false;
  return (
    !comparesRevisions ||
    (a.modRevision === b.modRevision &&
      a.createRevision === b.createRevision &&
      a.version === b.version)
  );
}
