import type { CommandNode, FoundCommand } from './args/command-tree.js';
import { boolFlag, type Flags } from './args/flags.js';
import { FACES, type Face, GROUPS, SECTIONS, type Section } from './faces.js';
import { type HelpFlag, helpFlag, type ManifestCommands } from './manifest.js';

/** Names in a list of commands are padded to this width at least. */
const MIN_NAME_WIDTH = 11;

/** The help page of a command or group: description and usage (reference: cli 8.3). */
export function helpPage(face: Face, found: FoundCommand, commands: ManifestCommands): string {
  const usage = usagePage(face, found, commands);
  if (FACES[face].helpIsUsage) return usage;
  const { description, summary } = describe(face, found, commands);
  const page = `${(description ?? summary).trimEnd()}\n\n${usage}`;
  if (FACES[face].listsGlobalFlags) return page;
  return `${page}Use "${face} options" for a list of global command-line options (applies to all commands).\n`;
}

/** What parse errors print: how the command is used, without its description. */
export function usagePage(face: Face, found: FoundCommand, commands: ManifestCommands): string {
  const path = found.path.map((node) => node.name).join(' ');
  const { usage, flags } = describe(face, found, commands);
  const children = [...found.node.children.values()];
  const parts = ['Usage:\n'];
  if (found.node.id !== undefined) parts.push(`  ${face} ${ownUsage(face, usage)} [flags]\n`);
  if (children.length > 0) {
    parts.push(`  ${path} [command]\n`, childList(face, found, children, commands));
  }
  const local = flags.filter((flag) => !flag.inherited && !flag.hidden);
  const inherited = flags.filter((flag) => flag.inherited && !flag.hidden);
  if (local.length > 0) parts.push('\nFlags:\n', flagUsages(local));
  if (inherited.length > 0) parts.push('\nGlobal Flags:\n', flagUsages(inherited));
  if (children.length > 0) {
    parts.push(`\nUse "${path} [command] --help" for more information about a command.\n`);
  }
  return parts.join('');
}

/** What Go's flag package prints on `-h` and for a bad command line (reference: cli 11). */
export function goFlagUsage(face: Face, found: FoundCommand, commands: ManifestCommands): string {
  const command = found.node.id === undefined ? undefined : commands[found.node.id];
  const flags = { ...command?.flags, ...FACES[face].globalFlags };
  const rows = Object.entries(flags)
    .map(([name, flag]) => helpFlag(name, flag))
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, short, valueName, description, shownDefault }) => {
      const names = short === undefined ? `-${name}` : `-${short}, -${name}`;
      const head = valueName === '' ? names : `${names} ${valueName}`;
      const fallback = shownDefault === undefined ? '' : ` (default ${shownDefault})`;
      return `  ${head}\n    \t${description.replaceAll('\n', '\n    \t')}${fallback}\n`;
    });
  return `Usage of ${face}:\n${rows.join('')}`;
}

/**
 * The usage of a command under a parent without a name: what a bad request line of a txn prints.
 * The space after the empty name stays.
 */
export function commandUsage(usage: string, flags: Flags): string {
  const [name] = usage.split(' ', 1);
  const shown = Object.entries(flags).map(([flagName, flag]) => helpFlag(flagName, flag));
  shown.push(helpFlag('help', boolFlag(`help for ${name}`, { short: 'h' })));
  return `Usage:\n   ${usage} [flags]\n\nFlags:\n${flagUsages(shown)}`;
}

/**
 * One line a flag, sorted by name, descriptions aligned: pflag's FlagUsages. A back-quoted word of
 * a description names the value.
 */
export function flagUsages(flags: readonly HelpFlag[]): string {
  const rows = flags
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .map((flag) => {
      const quoted = /`([^`]*)`/.exec(flag.description)?.[1];
      const valueName = quoted ?? flag.valueName;
      const short = flag.short === undefined ? '      ' : `  -${flag.short}, `;
      const head = `${short}--${flag.name}${valueName === '' ? '' : ` ${valueName}`}`;
      const fallback = flag.shownDefault === undefined ? '' : ` (default ${flag.shownDefault})`;
      const text = flag.description.replace(/`([^`]*)`/, '$1');
      return { head, text: `${text}${fallback}` };
    });
  const width = Math.max(...rows.map((row) => row.head.length));
  return rows.map((row) => `${row.head.padEnd(width)}   ${row.text}\n`).join('');
}

interface Description {
  readonly summary: string;
  readonly description: string | undefined;
  readonly usage: string;
  readonly flags: readonly HelpFlag[];
}

function describe(face: Face, found: FoundCommand, commands: ManifestCommands): Description {
  const { node } = found;
  const help = helpFlag('help', boolFlag(`help for ${node.name}`, { short: 'h' }));
  const command = node.id === undefined ? undefined : commands[node.id];
  const globals = shownGlobals(face, found);
  if (command !== undefined) {
    const own = Object.entries(command.flags).map(([name, flag]) => helpFlag(name, flag));
    return {
      summary: named(command.summary ?? '', face),
      description: command.description,
      usage: command.usage,
      flags: [...own, help, ...globals],
    };
  }
  const isRoot = found.path.length === 1;
  const group = isRoot ? undefined : GROUPS[node.name];
  const own = Object.entries(group?.flags ?? {}).map(([name, flag]) => ({
    ...helpFlag(name, flag),
    inherited: false,
  }));
  return {
    summary: group?.summary ?? FACES[face].summary,
    description: undefined,
    usage: group?.usage ?? '',
    flags: [...own, { ...help, hidden: isRoot && face === 'etcdctl' }, ...globals],
  };
}

/** A face without `options` lists its global flags in its help pages. */
function shownGlobals(face: Face, found: FoundCommand): HelpFlag[] {
  const { listsGlobalFlags, globalFlags } = FACES[face];
  if (!listsGlobalFlags) return [];
  const inherited = found.path.length > 1;
  return Object.entries(globalFlags).map(([name, flag]) => ({
    ...helpFlag(name, flag),
    inherited,
  }));
}

/** The use line of a command, without the word that the face stands for. */
function ownUsage(face: Face, usage: string): string {
  const word = `${FACES[face].root} `;
  return usage.startsWith(word) ? usage.slice(word.length) : usage;
}

function childList(
  face: Face,
  found: FoundCommand,
  children: readonly CommandNode[],
  commands: ManifestCommands,
): string {
  const width = Math.max(MIN_NAME_WIDTH, ...children.map((child) => child.name.length));
  const line = (child: CommandNode) =>
    `  ${child.name.padEnd(width)} ${named(childInfo(child, commands).summary, face)}${hint(face, child)}\n`;
  if (found.path.length > 1 || FACES[face].listsGlobalFlags)
    return `\nAvailable Commands:\n${children.map(line).join('')}`;
  return SECTIONS.map((section) => {
    const members = children.filter((child) => childInfo(child, commands).section === section);
    return members.length === 0 ? '' : `\n${section}\n${members.map(line).join('')}`;
  }).join('');
}

/** What etcdctl's list of commands adds to most groups. */
function hint(face: Face, child: CommandNode): string {
  const isPlain = face !== 'etcdctl' || child.children.size === 0 || child.name === 'snapshot';
  return isPlain ? '' : `. Use \`${face} ${child.name} --help\` to see subcommands`;
}

/** oclif's way to speak of the program's name in a text. */
function named(text: string, face: string): string {
  return text.replaceAll('<%= config.bin %>', face);
}

function childInfo(
  child: CommandNode,
  commands: ManifestCommands,
): { summary: string; section: Section } {
  const command = child.id === undefined ? undefined : commands[child.id];
  const fallback = GROUPS[child.name];
  return {
    summary: command?.summary ?? fallback?.summary ?? '',
    section: command?.section ?? fallback?.section ?? 'Utility commands',
  };
}
