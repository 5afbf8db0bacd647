/** Names at most this many edits away are suggested. */
const MAX_DISTANCE = 2;

/** Names that a mistyped word may have meant: close in spelling, or beginning with it. */
export function suggestionsFor(word: string, names: readonly string[]): string[] {
  const lower = word.toLowerCase();
  return names.filter(
    (name) =>
      name.toLowerCase().startsWith(lower) ||
      editDistance(lower, name.toLowerCase()) <= MAX_DISTANCE,
  );
}

/** Levenshtein distance. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line++) {
    const next = [line];
    for (let column = 1; column <= to.length; column++) {
      const substitution = (row[column - 1] ?? 0) + (from[line - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
