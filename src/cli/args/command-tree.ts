import { quoteGo } from '../../base/go-format.js';
import { argumentBytes } from './argument-bytes.js';
import { standsAlone } from './flag-set.js';
import type { Flag, Flags } from './flags.js';
import { suggestionsFor } from './suggestions.js';

/** A command word: a command of its own (`id` set), a group of others, or both. */
export interface CommandNode {
  readonly name: string;
  /** oclif id of the command that runs; undefined for a pure group. */
  readonly id: string | undefined;
  /** Flags that this word and all below it take. */
  readonly inheritedFlags: Flags;
  readonly children: ReadonlyMap<string, CommandNode>;
}

/** Where a command line leads. */
export interface FoundCommand {
  /** From the root to the command. */
  readonly path: readonly CommandNode[];
  readonly node: CommandNode;
  /** The command line without the command words. */
  readonly argv: readonly string[];
}

/** A command line that names no command. */
export class UnknownCommandError extends Error {
  override readonly name = 'UnknownCommandError';
}

/**
 * Finds the command of a command line as cobra does: flags may stand before the words, a unique
 * prefix of a word is enough, an exact word always wins (reference: cli 1.1).
 *
 * Trap: flags that the words so far don't declare count as taking a value, `--help` included, so
 * `etcdctl --prefix get k` looks for a command `k`.
 * @throws UnknownCommandError if the first word is none of the root's
 */
export function findCommand(root: CommandNode, argv: readonly string[]): FoundCommand {
  const path = [root];
  let node = root;
  let flags: Flags = root.inheritedFlags;
  let rest = argv;
  for (;;) {
    const words = wordPositions(rest, flags);
    const first = words[0];
    const word = first === undefined ? undefined : rest[first];
    const child = word === undefined ? undefined : matchChild(node, word);
    if (first === undefined || child === undefined) {
      if (word !== undefined && node === root && root.children.size > 0) {
        throw new UnknownCommandError(unknownCommandText(root, word));
      }
      return { path, node, argv: rest };
    }
    node = child;
    path.push(child);
    flags = { ...flags, ...child.inheritedFlags };
    rest = rest.toSpliced(first, 1);
  }
}

function matchChild(node: CommandNode, word: string): CommandNode | undefined {
  const exact = node.children.get(word);
  if (exact !== undefined) return exact;
  const matches = [...node.children.values()].filter((child) => child.name.startsWith(word));
  return matches.length === 1 ? matches[0] : undefined;
}

/** Positions in `argv` of what is neither a flag nor the value of one. */
function wordPositions(argv: readonly string[], flags: Flags): number[] {
  const shorts = new Map<string | undefined, Flag>(
    Object.values(flags).map((flag) => [flag.char, flag]),
  );
  const positions: number[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') break;
    const takesNext =
      !word.includes('=') &&
      ((word.startsWith('--') && !standsAlone(flags[word.slice(2)])) ||
        (/^-[^-]$/.test(word) && !standsAlone(shorts.get(word.slice(1)))));
    if (takesNext) at += 1;
    else if (word !== '' && !word.startsWith('-')) positions.push(at);
  }
  return positions;
}

function unknownCommandText(root: CommandNode, word: string): string {
  const text = `unknown command ${quoteGo(argumentBytes(word))} for "${root.name}"`;
  const suggestions = suggestionsFor(word, [...root.children.keys()]);
  if (suggestions.length === 0) return text;
  return `${text}\n\nDid you mean this?\n${suggestions.map((name) => `\t${name}\n`).join('')}`;
}
