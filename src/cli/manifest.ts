import { readFileSync } from 'node:fs';
import { type Flag, INHERITED_GROUP } from './args/flags.js';
import type { Face, Section } from './faces.js';

/** What the start-up path reads of a command in oclif.manifest.json, without loading its code. */
export interface ManifestCommand {
  readonly id: string;
  readonly summary?: string;
  readonly description?: string;
  readonly usage: string;
  readonly hidden?: boolean;
  readonly section: Section;
  readonly faces: readonly Face[];
  readonly flags: Readonly<Record<string, ManifestFlag>>;
}

/** A flag as oclif caches it. */
export interface ManifestFlag {
  readonly type: 'boolean' | 'option';
  readonly char?: string;
  readonly description?: string;
  readonly default?: string;
  readonly helpValue?: string;
  readonly helpGroup?: string;
  readonly hidden?: boolean;
}

/** The commands of the program by oclif id (`lease:grant`). */
export type ManifestCommands = Readonly<Record<string, ManifestCommand>>;

/** Reads the manifest that the build wrote. */
export function readManifest(location: URL): ManifestCommands {
  const manifest: { commands: ManifestCommands } = JSON.parse(readFileSync(location, 'utf8'));
  return manifest.commands;
}

/** How a flag shows in help pages. */
export interface HelpFlag {
  readonly name: string;
  readonly short: string | undefined;
  /** Go type name shown after the flag, empty for booleans. */
  readonly valueName: string;
  readonly description: string;
  /** The default as help shows it, undefined if it is the zero value. */
  readonly shownDefault: string | undefined;
  readonly inherited: boolean;
  readonly hidden: boolean;
}

/** A flag for help, from its declaration in code or from the manifest. */
export function helpFlag(name: string, flag: Flag | ManifestFlag): HelpFlag {
  const valueName = flag.type === 'boolean' ? '' : (flag.helpValue ?? 'string');
  const defaultText = 'defaultText' in flag ? flag.defaultText : (flag.default ?? 'false');
  return {
    name,
    short: flag.char,
    valueName: String(valueName),
    description: flag.description ?? '',
    shownDefault: shownDefault(String(valueName), String(defaultText)),
    inherited: flag.helpGroup === INHERITED_GROUP,
    hidden: flag.hidden === true,
  };
}

function shownDefault(valueName: string, text: string): string | undefined {
  if (valueName === 'string') return text === '' ? undefined : `"${text}"`;
  if (valueName === 'strings') return text === '' ? undefined : `[${text}]`;
  return ['false', '0', '0s', ''].includes(text) ? undefined : text;
}
