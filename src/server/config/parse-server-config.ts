import { GoFlagError, GoHelpRequested } from '../../base/go-flags.js';
import { quoteGo } from '../../base/go-format.js';
import { ETCD_VERSION } from '../../base/version.js';
import { applyConfigFile, ConfigFileFatal } from './config-file.js';
import type { DeferredLog } from './deferred-log.js';
import { applyEnvironment, EnvironmentConflict } from './environment.js';
import { type FlagSet, newFlagSet, parseCommandLine } from './flag-parser.js';
import { FLAG_SPECS } from './flag-table.js';
import { buildServerConfig, type ServerConfig } from './server-config.js';
import { Settings } from './settings.js';
import { refuseUnsupported } from './unsupported.js';
import { flagHelp, USAGE } from './usage.js';
import { MissingAdvertiseClientUrls, UnknownLogLevel, validate } from './validation.js';

/**
 * What the command line, the environment and the file come to: a configuration, or an exit with
 * what to print. The log lines come first in either case; on an exit they go to stderr as JSON.
 */
export type ParsedServerConfig =
  | {
      readonly kind: 'config';
      readonly config: ServerConfig;
      readonly logs: readonly DeferredLog[];
    }
  | {
      readonly kind: 'exit';
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
      readonly logs: readonly DeferredLog[];
    };

/** Where the program runs, for `--version`. */
export interface BuildInfo {
  /** Of the commit; empty if unknown. */
  readonly gitSha: string;
  /** e.g. `node20.20.2`. */
  readonly runtime: string;
  /** e.g. `linux/x64`. */
  readonly platform: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration of a server (reference: server 1). Never throws for what a user may do.
 * @param argv words after the program's name
 * @param readFile text of a file; throws if it cannot be read
 */
export function parseServerConfig(
  argv: readonly string[],
  environment: Environment,
  readFile: (path: string) => string,
  build: BuildInfo = { gitSha: '', runtime: 'node', platform: '' },
): ParsedServerConfig {
  const logs: DeferredLog[] = [];
  const flags = newFlagSet(FLAG_SPECS);
  try {
    const words = parseCommandLine(flags, argv);
    if (words[0] === undefined && flags.values.get('version') === true) {
      return exit(0, logs, { stdout: versionText(build) });
    }
    if (words[0] !== undefined) throw new Error(`${quoteGo(words[0])} is not a valid flag`);
    const settings = readSettings(flags, environment, readFile, logs);
    logs.push(running(argv));
    return { kind: 'config', config: buildServerConfig(settings, logs), logs };
  } catch (error) {
    return explain(error, argv, logs);
  }
}

function readSettings(
  flags: FlagSet,
  environment: Environment,
  readFile: (path: string) => string,
  logs: DeferredLog[],
): Settings {
  const path = String(flags.values.get('config-file')) || environment.ETCD_CONFIG_FILE || '';
  const fromFile = path !== '';
  // With a file, what the flags said is dropped; they were read for their syntax alone.
  const source = fromFile ? newFlagSet(FLAG_SPECS) : flags;
  const settings = new Settings(source);
  if (fromFile) {
    applyConfigFile(source, readConfigFile(readFile, path));
    logs.push({
      level: 'info',
      message:
        'loaded server configuration, other configuration command line flags and environment variables will be ignored if provided',
      fields: { path },
    });
  } else {
    applyEnvironment(source, environment, logs);
  }
  leaveBootstrapToDiscovery(source, settings, fromFile);
  validate(settings, fromFile, logs);
  refuseUnsupported(source, settings);
  warnDeprecated(settings, logs);
  return settings;
}

function readConfigFile(readFile: (path: string) => string, path: string): string {
  try {
    return readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new Error(`open ${path}: no such file or directory`);
    if (code === 'EACCES') throw new Error(`open ${path}: permission denied`);
    if (code === 'EISDIR') throw new Error(`read ${path}: is a directory`);
    throw error;
  }
}

/** With discovery, the default of initial-cluster does not count. */
function leaveBootstrapToDiscovery(flags: FlagSet, settings: Settings, fromFile: boolean): void {
  const discovered =
    settings.text('discovery-srv') !== '' ||
    settings.list('discovery-endpoints').length > 0 ||
    (!fromFile && settings.text('discovery-srv-name') !== '');
  if (discovered && !settings.isSet('initial-cluster')) flags.values.set('initial-cluster', '');
}

function warnDeprecated(settings: Settings, logs: DeferredLog[]): void {
  if (settings.isSet('max-snapshots')) {
    logs.push({
      level: 'warn',
      message: '--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.',
    });
  }
  if (settings.isSet('v2-deprecation')) {
    logs.push({
      level: 'warn',
      message:
        '--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.',
    });
  }
}

/** The trailing blank is etcd's. */
const RUNNING = 'Running: ';

function running(argv: readonly string[]): DeferredLog {
  return { level: 'info', message: RUNNING, fields: { args: ['etcd', ...argv] } };
}

/** How etcd ends for an error. */
function explain(error: unknown, argv: readonly string[], logs: DeferredLog[]): ParsedServerConfig {
  if (error instanceof GoHelpRequested) {
    return exit(0, logs, { stdout: flagHelp(), stderr: USAGE });
  }
  if (error instanceof GoFlagError) {
    return exit(2, logs, { stderr: `${error.message}\n${USAGE}` });
  }
  if (error instanceof ConfigFileFatal) {
    return exit(error.exitCode, logs, { stderr: `${error.message}\n` });
  }
  if (error instanceof UnknownLogLevel) {
    return exit(2, logs, { stderr: `panic: ${error.message}\n` });
  }
  if (error instanceof EnvironmentConflict) {
    logs.push({
      level: 'fatal',
      message: error.message,
      fields: { 'environment-variable': error.variable },
    });
    return exit(1, logs);
  }
  const reason = error instanceof Error ? error.message : String(error);
  if (!logs.some(({ message }) => message === RUNNING)) logs.push(running(argv));
  logs.push({ level: 'warn', message: 'failed to verify flags', fields: { error: reason } });
  if (error instanceof MissingAdvertiseClientUrls) {
    logs.push({
      level: 'warn',
      message: 'advertise client URLs are not set',
      fields: { error: reason },
    });
  }
  return exit(1, logs);
}

function exit(
  code: number,
  logs: readonly DeferredLog[],
  output: { readonly stdout?: string; readonly stderr?: string } = {},
): ParsedServerConfig {
  return { kind: 'exit', code, stdout: output.stdout ?? '', stderr: output.stderr ?? '', logs };
}

/** Four lines that test tools read. */
function versionText(build: BuildInfo): string {
  return [
    `etcd Version: ${ETCD_VERSION}`,
    `Git SHA: ${build.gitSha}`,
    `Go Version: ${build.runtime}`,
    `Go OS/Arch: ${build.platform}`,
    '',
  ].join('\n');
}
