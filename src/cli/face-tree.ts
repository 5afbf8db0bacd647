import type { CommandNode } from './args/command-tree.js';
import type { Flags } from './args/flags.js';
import { FACES, type Face, GROUPS } from './faces.js';
import type { ManifestCommand, ManifestCommands } from './manifest.js';

interface MutableNode extends CommandNode {
  id: string | undefined;
  readonly children: Map<string, MutableNode>;
}

/** The command words of a face, as a tree. Children are in alphabetical order. */
export function faceTree(face: Face, commands: ManifestCommands): CommandNode {
  const root = newNode(face, FACES[face].globalFlags);
  for (const command of faceCommands(face, commands)) {
    let node = root;
    for (const word of commandWords(face, command.id)) {
      let child = node.children.get(word);
      if (child === undefined) {
        child = newNode(word, (node === root ? GROUPS[word]?.flags : undefined) ?? {});
        node.children.set(word, child);
      }
      node = child;
    }
    node.id = command.id;
  }
  return root;
}

/** The words that call a command under a face: none, if the face is that command. */
export function commandWords(face: Face, id: string): string[] {
  const words = id.split(':');
  return words[0] === FACES[face].root ? words.slice(1) : words;
}

function faceCommands(face: Face, commands: ManifestCommands): ManifestCommand[] {
  return Object.values(commands)
    .filter((command) => command.faces.includes(face))
    .sort((left, right) => (left.id < right.id ? -1 : 1));
}

function newNode(name: string, inheritedFlags: Flags): MutableNode {
  return { name, id: undefined, inheritedFlags, children: new Map() };
}
