import { formatGoMillis } from '../base/go-format.js';
import type { Logger } from '../base/logger.js';
import { assignFlag } from './args/flag-set.js';
import type { Flags } from './args/flags.js';
import { CommandFailure, ExitCode } from './exit.js';

const PREFIX = 'ETCDCTL_';

/** What {@link applyEnvironment} reads and changes. */
export interface EnvironmentTarget {
  /** The flags that a variable can set: the globals and what a group hands down. */
  readonly flags: Flags;
  readonly values: Record<string, unknown>;
  /** Flags given on the command line; those set here are added. */
  readonly given: Set<string>;
}

/** The variable that sets a flag: `command-timeout` -> `ETCDCTL_COMMAND_TIMEOUT`. */
export function variableOf(flag: string): string {
  return PREFIX + flag.toUpperCase().replaceAll('-', '_');
}

/**
 * Sets flags from ETCDCTL_* variables (reference: cli 2.2).
 *
 * Trap: a variable that does not parse is ignored without a word.
 * Trap: scripts set ETCDCTL_API=3 everywhere; it is unknown since 3.6 and must only warn.
 * @param known variables that a command reads itself
 * @throws CommandFailure if a flag is given both ways
 */
export function applyEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  target: EnvironmentTarget,
  logger: Logger,
  known: readonly string[],
): void {
  const byVariable = new Map(Object.keys(target.flags).map((name) => [variableOf(name), name]));
  const givenByUser = new Set(target.given);
  for (const [variable, value = ''] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || known.includes(variable)) continue;
    const name = byVariable.get(variable);
    if (name !== undefined && givenByUser.has(name)) throw shadowed(variable, logger);
    const flag = name === undefined ? undefined : target.flags[name];
    if (name === undefined || flag === undefined || value === '') {
      logger.warn('unrecognized environment variable', {
        'environment-variable': `${variable}=${value}`,
      });
      continue;
    }
    try {
      assignFlag(target.values, target.given, name, flag, value);
    } catch {
      // Unparsable: the default stays, as documented above.
    }
  }
}

function shadowed(variable: string, logger: Logger): CommandFailure {
  logger.fatal(
    'conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))',
    { 'environment-variable': variable },
  );
  return new CommandFailure(ExitCode.Error);
}

/** What `--debug` prints: every flag as the variable that would set it, sorted by name. */
export function debugLines(values: Readonly<Record<string, unknown>>, flags: Flags): string {
  return Object.entries(flags)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, flag]) => `${variableOf(name)}=${shown(values[name], flag.kind)}\n`)
    .join('');
}

function shown(value: unknown, kind: string): string {
  if (Array.isArray(value)) return `[${value.join(',')}]`;
  return kind === 'duration' ? formatGoMillis(Number(value)) : String(value);
}
