import type { BooleanFlag, OptionFlag } from '@oclif/core/interfaces';

/** Go types of flag values, by the name that help pages show. Booleans show none. */
export type FlagKind = 'bool' | 'string' | 'int' | 'uint' | 'duration' | 'strings';

/** The JavaScript value of a flag of each kind; durations are milliseconds. */
export interface FlagKindValues {
  bool: boolean;
  string: string;
  int: number;
  uint: bigint;
  duration: number;
  strings: string[];
}

/**
 * One flag, declared once: an oclif flag (so that the manifest and other oclif tools see it) that
 * carries what our parser needs, because oclif's own cannot follow pflag's rules.
 */
export type Flag<Kind extends FlagKind = FlagKind> = OclifFlag & {
  readonly kind: Kind;
  readonly defaultText: string;
};

// oclif's FlagInput is a record of exactly this union.
type OclifFlag = BooleanFlag<boolean> | OptionFlag<string>;

/** The flags of a command by long name. */
export type Flags = Readonly<Record<string, Flag>>;

/** What parsing a set of flags yields. */
export type FlagValues<Declared extends Flags> = {
  readonly [Name in keyof Declared]: Declared[Name] extends Flag<infer Kind>
    ? FlagKindValues[Kind]
    : never;
};

/** Options that few flags need. */
export interface FlagExtras {
  /** One-letter form, without the dash. */
  readonly short?: string;
  /** Declared on the parent command: help lists it under "Global Flags". */
  readonly inherited?: boolean;
  readonly hidden?: boolean;
}

/** Where help shows flags that a parent command declares. */
export const INHERITED_GROUP = 'GLOBAL';

/** A flag that is off unless given (`defaultOn` turns that round). */
export function boolFlag(
  description: string,
  extras: FlagExtras & { defaultOn?: boolean } = {},
): Flag<'bool'> {
  const defaultText = extras.defaultOn === true ? 'true' : 'false';
  return declare(
    { kind: 'bool', type: 'boolean', allowNo: false, defaultText },
    description,
    extras,
  );
}

/** A flag with a value. `defaultText` is written as on a command line. */
export function valueFlag<Kind extends Exclude<FlagKind, 'bool'>>(
  kind: Kind,
  defaultText: string,
  description: string,
  extras: FlagExtras = {},
): Flag<Kind> {
  const option = { kind, type: 'option', multiple: kind === 'strings', helpValue: kind };
  return declare({ ...option, default: defaultText, defaultText }, description, extras);
}

function declare<Kind extends FlagKind>(
  core: { kind: Kind; type: string; defaultText: string } & Record<string, unknown>,
  description: string,
  extras: FlagExtras,
): Flag<Kind> {
  const flag: Record<string, unknown> = {
    ...core,
    description,
    input: [],
    parse: async (input: unknown) => input,
  };
  if (extras.short !== undefined) flag.char = extras.short;
  if (extras.inherited === true) flag.helpGroup = INHERITED_GROUP;
  if (extras.hidden === true) flag.hidden = true;
  // The object satisfies oclif's run-time shape; its types ask for more than oclif reads.
  return flag as unknown as Flag<Kind>;
}
