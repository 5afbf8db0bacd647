/**
 * What came of an operation on a damaged file:
 * - `same`: it answered as for the sound file, as what is damaged means nothing
 * - `earlier`: it answered for an earlier state of the file, as etcd does (the other meta page of a
 *   bbolt file, a log up to where it is torn, an older `.snap` file)
 * - `content`: a value was changed in a file whose format has no checksum of it; the answer is what
 *   the file says
 * - all else: the kind of the error
 */
export type AnswerKind = string;

/** Counts answers by operation and kind. */
export class Tally {
  readonly #counts = new Map<string, Map<AnswerKind, number>>();
  readonly title: string;
  files = 0;

  constructor(title: string) {
    this.title = title;
  }

  count(operation: string, kind: AnswerKind): void {
    const counts = this.#counts.get(operation) ?? new Map<AnswerKind, number>();
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    this.#counts.set(operation, counts);
  }

  of(operation: string, kind: AnswerKind): number {
    return this.#counts.get(operation)?.get(kind) ?? 0;
  }

  toString(): string {
    const lines = [...this.#counts].map(([operation, counts]) => {
      const kinds = [...counts].sort(([, a], [, b]) => b - a);
      return `  ${operation}: ${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')}`;
    });
    return [`${this.title}: ${this.files} damaged files`, ...lines].join('\n');
  }
}
