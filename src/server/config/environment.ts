import { quoteGo } from '../../base/go-format.js';
import type { DeferredLog } from './deferred-log.js';
import { type FlagSet, setFlag } from './flag-parser.js';

const PREFIX = 'ETCD_';

/** Read by the program that starts us, not a setting. */
const ARCHITECTURE_VARIABLE = 'ETCD_UNSUPPORTED_ARCH';

/** A variable and a flag say the same thing, which is fatal even if they agree. */
export class EnvironmentConflict extends Error {
  readonly variable: string;

  constructor(variable: string) {
    // The doubled parenthesis is etcd's.
    super(
      'conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))',
    );
    this.variable = variable;
  }
}

/** `ETCD_` and the flag in capitals with underscores. */
function environmentName(flag: string): string {
  return PREFIX + flag.toUpperCase().replaceAll('-', '_');
}

/**
 * Sets the flags that the command line left alone from non-empty `ETCD_*` variables
 * (reference: server 1.1).
 * @throws EnvironmentConflict, or Error for a value that is none
 */
export function applyEnvironment(
  flags: FlagSet,
  environment: Readonly<Record<string, string | undefined>>,
  logs: DeferredLog[],
): void {
  const onCommandLine = new Set([...flags.explicit].map(environmentName));
  const used = new Set(['ETCD_VERSION', ARCHITECTURE_VARIABLE]);
  const version = environment.ETCD_VERSION;
  if (version !== undefined && version !== '') {
    logs.push({
      level: 'warn',
      message: 'cannot set special environment variable',
      fields: { key: 'ETCD_VERSION', value: version },
    });
  }
  for (const spec of flags.specs.values()) {
    const variable = environmentName(spec.name);
    const value = environment[variable];
    if (value === undefined || value === '' || onCommandLine.has(variable)) continue;
    if (used.has(variable)) continue;
    used.add(variable);
    logs.push({
      level: 'info',
      message: 'recognized and used environment variable',
      fields: { 'variable-name': variable, 'variable-value': value },
    });
    try {
      setFlag(flags, spec, value);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`invalid value ${quoteGo(value)} for ${variable}: ${reason}`);
    }
  }
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || used.has(variable)) continue;
    if (onCommandLine.has(variable)) throw new EnvironmentConflict(variable);
    if (!variable.startsWith(PREFIX)) continue;
    logs.push({
      level: 'warn',
      message: 'unrecognized environment variable',
      fields: { 'environment-variable': `${variable}=${value}` },
    });
  }
}
