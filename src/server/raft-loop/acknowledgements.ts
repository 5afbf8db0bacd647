import { type Message, MessageType } from '../../raft/types.js';

/**
 * Leaves out acknowledgements that a later one includes: a leader that hears of the last entry knows
 * of those before.
 */
export function withoutOutdated(messages: readonly Message[]): readonly Message[] {
  if (messages.length < 2) return messages;
  const kept: Message[] = [];
  for (const message of messages) {
    const previous = kept.at(-1);
    if (previous !== undefined && isIncluded(previous, message)) kept.pop();
    kept.push(message);
  }
  return kept;
}

function isIncluded(earlier: Message, later: Message): boolean {
  return (
    earlier.type === MessageType.AppResp &&
    later.type === MessageType.AppResp &&
    !earlier.reject &&
    !later.reject &&
    earlier.to === later.to &&
    earlier.term === later.term &&
    earlier.index <= later.index
  );
}
