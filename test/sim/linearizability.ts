/** What a thing does, one operation after another. States are compared by their text. */
export interface SequentialModel<State, Call> {
  readonly initial: State;
  /** The state after a call that was answered as it was; undefined: no such answer is possible. */
  readonly step: (state: State, call: Call) => State | undefined;
  /** The same text for the same state, and for no other. */
  readonly show: (state: State) => string;
}

/** A call in a history; `end` is Infinity if nobody knows whether it happened. */
export interface Call<Content> {
  readonly start: number;
  readonly end: number;
  readonly content: Content;
}

/**
 * Whether calls that overlapped can be put in one order that the model and time allow, by trying
 * all orders that differ (Wing and Gong, with Lowe's memory of what was tried). Takes exponential
 * time in the worst case: for short histories. Calls without a known end may be left out.
 */
export function isLinearizable<State, Content>(
  calls: readonly Call<Content>[],
  model: SequentialModel<State, Content>,
): boolean {
  const byStart = [...calls].sort((a, b) => a.start - b.start);
  const tried = new Set<string>();
  const done = byStart.map(() => false);
  const search = (state: State): boolean => {
    const situation = `${done.map(Number).join('')} ${model.show(state)}`;
    if (tried.has(situation)) return false;
    tried.add(situation);
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const [at, call] of byStart.entries()) {
      if (!done[at]) firstEnd = Math.min(firstEnd, call.end);
    }
    // Nothing is left but what need not have happened.
    if (firstEnd === Number.POSITIVE_INFINITY) return true;
    for (const [at, call] of byStart.entries()) {
      // Whoever comes next must have been asked for before anything else that waits was answered.
      if (call.start > firstEnd) break;
      if (done[at]) continue;
      const next = model.step(state, call.content);
      if (next === undefined) continue;
      done[at] = true;
      if (search(next)) return true;
      done[at] = false;
    }
    return false;
  };
  return search(model.initial);
}
