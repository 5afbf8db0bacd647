import type { Logger } from '../base/logger.js';
import type { CallOptions } from '../client/caller.js';
import { Client, type ClientOptions } from '../client/client.js';
import { diagnosisText } from '../client/diagnosis.js';
import { ClientConfigError, diagnosesOf, errorText } from '../client/errors.js';
import { nodeClock } from '../platform/node-clock.js';
import type { Flags } from './args/flags.js';
import { authOptions, tlsOptions } from './client-config.js';
import { applyEnvironment, debugLines } from './environment.js';
import { CommandFailure, ExitCode } from './exit.js';
import type { GlobalValues } from './global-flags.js';
import { UnsupportedFormatError } from './printers/printer.js';
import type { Terminal } from './terminal.js';
import { isLogLevel, ToolLogger } from './tool-log.js';

/** What a session is opened with. */
export interface SessionOptions {
  readonly terminal: Terminal;
  /** Flags that variables may set. */
  readonly inheritedFlags: Flags;
  readonly values: Readonly<Record<string, unknown>>;
  readonly given: ReadonlySet<string>;
  /** ETCDCTL_* variables that the command reads itself. */
  readonly ownVariables: readonly string[];
  /** Name of the client in log lines. */
  readonly loggerName: string;
}

type SharedOptions = Omit<ClientOptions, 'endpoints'>;

/**
 * The clients of one command, made from its global flags and the environment in etcdctl's order:
 * variables, discovery, TLS, password, output format, login.
 */
export class Session {
  /** All flags of the command, after the environment was read. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The global ones among them. */
  readonly flags: GlobalValues;
  readonly endpoints: readonly string[];
  readonly #shared: SharedOptions;
  readonly #clients = new Set<Client>();

  private constructor(
    values: Readonly<Record<string, unknown>>,
    endpoints: readonly string[],
    shared: SharedOptions,
  ) {
    this.values = values;
    // The declared kinds of the global flags make these the values of GLOBAL_FLAGS.
    this.flags = values as unknown as GlobalValues;
    this.endpoints = endpoints;
    this.#shared = shared;
  }

  /** @throws CommandFailure */
  static async open(options: SessionOptions): Promise<Session> {
    const { terminal } = options;
    const logger = new ToolLogger(terminal);
    const values = { ...options.values };
    const given = new Set(options.given);
    const target = { flags: options.inheritedFlags, values, given };
    applyEnvironment(terminal.environment, target, logger, options.ownVariables);
    // The declared kinds of the global flags make these the values of GLOBAL_FLAGS.
    const flags = values as unknown as GlobalValues;
    if (flags.debug) terminal.error(debugLines(values, options.inheritedFlags));
    const discovery = await discover(flags, terminal);
    const tls = tlsOptions(flags, given, discovery.serverName);
    const shared: SharedOptions = {
      dialTimeoutMillis: flags['dial-timeout'],
      keepaliveMillis: flags['keepalive-time'],
      keepaliveTimeoutMillis: flags['keepalive-timeout'],
      maxSendBytes: flags['max-request-bytes'],
      maxReceiveBytes: flags['max-recv-bytes'],
      logger: clientLogger(terminal, options.loggerName),
      ...(tls === undefined ? {} : { tls }),
      ...(await authOptions(flags, terminal)),
    };
    return new Session(values, discovery.endpoints, shared);
  }

  /**
   * A client that is logged in, if the flags say who to log in as.
   * @param endpoints default: all that the command line or discovery named
   * @throws CommandFailure with exit code 2
   */
  async client(endpoints: readonly string[] = this.endpoints): Promise<Client> {
    try {
      const client = this.#build({ ...this.#shared, endpoints });
      await client.authenticate();
      return client;
    } catch (error) {
      throw callFailure(error, ExitCode.BadConnection);
    }
  }

  /** A client that does not log in: the list of members needs no permission. */
  async anonymousClient(): Promise<Client> {
    const { user: _user, password: _password, token: _token, ...shared } = this.#shared;
    return this.#build({ ...shared, endpoints: this.endpoints });
  }

  #build(options: ClientOptions): Client {
    const client = new Client(options);
    this.#clients.add(client);
    return client;
  }

  /** Options of a call that starts now: bounded by `--command-timeout` unless `rule` is `none`. */
  deadline(rule: 'after-setup' | 'none' = 'after-setup'): CallOptions {
    if (rule === 'none') return {};
    return { deadlineMillis: nodeClock.monotonicMillis() + this.flags['command-timeout'] };
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#clients.clear();
  }
}

/**
 * The failure a command ends with when a call failed: etcdctl's line, and below it what is known of
 * the layer that broke.
 * @param message wraps the error's text, where a command does
 */
export function callFailure(
  error: unknown,
  exitCode: number = ExitCode.Error,
  message: (text: string) => string = (text) => text,
): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof UnsupportedFormatError) {
    return new CommandFailure(ExitCode.BadFeature, error.message);
  }
  const code = error instanceof ClientConfigError ? ExitCode.BadConnection : exitCode;
  const hint = diagnosesOf(error).map(diagnosisText).join('\n');
  return new CommandFailure(code, message(errorText(error)), {
    cause: error,
    ...(hint === '' ? {} : { hint }),
  });
}

/** The log of the client, at the level that ETCD_CLIENT_DEBUG names (reference: cli 2.7). */
function clientLogger(terminal: Terminal, name: string): Logger {
  const level = terminal.environment.ETCD_CLIENT_DEBUG ?? '';
  return new ToolLogger(terminal, isLogLevel(level) ? level : 'info', name, 'client/caller.ts');
}

async function discover(
  flags: GlobalValues,
  terminal: Terminal,
): Promise<{ endpoints: readonly string[]; serverName: string | undefined }> {
  const domain = flags['discovery-srv'];
  if (domain === '') return { endpoints: flags.endpoints, serverName: undefined };
  const { discoverEndpoints } = await import('../client/srv-discovery.js');
  const found = await discoverEndpoints(domain, flags['discovery-srv-name']).catch((error) => {
    throw callFailure(error);
  });
  if (flags['insecure-discovery']) {
    return { endpoints: found.length > 0 ? found : flags.endpoints, serverName: undefined };
  }
  const secure = found.filter((endpoint) => {
    const keep = endpoint.startsWith('https://');
    if (!keep) terminal.error(`ignoring discovered insecure endpoint "${endpoint}"\n`);
    return keep;
  });
  return { endpoints: secure.length > 0 ? secure : flags.endpoints, serverName: domain };
}
