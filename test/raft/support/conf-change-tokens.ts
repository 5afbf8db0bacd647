import { type ConfChangeSingle, ConfChangeType } from '../../../src/raft/confchange/conf-change.js';

const TYPES: Readonly<Record<string, ConfChangeType>> = {
  v: ConfChangeType.AddNode,
  l: ConfChangeType.AddLearnerNode,
  r: ConfChangeType.RemoveNode,
  u: ConfChangeType.UpdateNode,
};

/** Reads `v1 l2 r3 u4`. */
export function parseTokens(input: string): ConfChangeSingle[] {
  return input
    .split(/\s+/)
    .filter((token) => token !== '')
    .map((token) => {
      if (token.length < 2) throw new Error(`unknown token ${token}`);
      const type = TYPES[token.charAt(0)];
      if (type === undefined) throw new Error(`unknown input: ${token}`);
      return { type, nodeId: BigInt(token.slice(1)) };
    });
}
