import { type ConfState, EMPTY_CONF_STATE } from '../../raft/types.js';

/**
 * The configuration as JSON, as the backend keeps it (reference: formats 4.4).
 * Trap: ids are bare 64-bit numbers, which JSON.stringify could not write.
 */
export function encodeConfState(confState: ConfState): string {
  const list = (name: string, ids: readonly bigint[]): string[] =>
    ids.length === 0 ? [] : [`"${name}":[${ids.join(',')}]`];
  const fields = [
    ...list('voters', confState.voters),
    ...list('learners', confState.learners),
    ...list('voters_outgoing', confState.votersOutgoing),
    ...list('learners_next', confState.learnersNext),
    `"auto_leave":${confState.autoLeave}`,
  ];
  return `{${fields.join(',')}}`;
}

/** Parses what {@link encodeConfState} writes. Undefined: the text is no such object. */
export function decodeConfState(text: string): ConfState | undefined {
  let fields: unknown;
  try {
    // There are no other numbers in it; as such they would lose digits.
    fields = JSON.parse(text.replace(/\d+/g, '"$&"'));
  } catch {
    return undefined;
  }
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { voters, learners, voters_outgoing, learners_next, auto_leave } = fields as Readonly<
    Record<string, unknown>
  >;
  return {
    ...EMPTY_CONF_STATE,
    voters: idList(voters),
    learners: idList(learners),
    votersOutgoing: idList(voters_outgoing),
    learnersNext: idList(learners_next),
    autoLeave: auto_leave === true,
  };
}

function idList(value: unknown): bigint[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === 'string').map(BigInt);
}
