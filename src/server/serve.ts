import type { Logger } from '../base/logger.js';
import { DirectoryLockedError } from '../platform/directory-lock.js';
import { nodeClock } from '../platform/node-clock.js';
import { nodeFs } from '../platform/node-fs.js';
import { type ConnectDiscovery, DiscoveryError } from './bootstrap/v3-discovery.js';
import { type BuildInfo, parseServerConfig } from './config/parse-server-config.js';
import type { ServerConfig } from './config/server-config.js';
import { MemberRemovedError } from './local-member.js';
import { earlyLogger, openServerLog, replayLogs } from './logging/server-logger.js';
import type { TransportKind } from './rpc/create-transport.js';
import { type EtcdServer, startServer } from './server.js';

/** Signals that stop a server. */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/** The process that a server runs in. */
export interface ServeHost {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What serves calls; absent: our own HTTP/2. */
  readonly transport?: TransportKind;
  readonly build: BuildInfo;
  /** Text of a file; throws if it cannot be read. */
  readonly readFile: (path: string) => string;
  /** Opens the discovery service; absent: none can be used. */
  readonly connectDiscovery?: ConnectDiscovery;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly stderrIsTerminal: boolean;
  /** Calls back at the first of the signals; later ones are ignored. */
  readonly onStopSignal: (callback: (signal: StopSignal) => void) => void;
}

/** How serving ended. */
export type ServeEnd =
  | { readonly kind: 'exit'; readonly code: number }
  /** Stopped cleanly; the process should now die of this signal (reference: server 2.7). */
  | { readonly kind: 'signal'; readonly signal: StopSignal };

const SIGNAL_NAMES: Readonly<Record<StopSignal, string>> = {
  SIGINT: 'interrupt',
  SIGTERM: 'terminated',
};

/**
 * Runs `etcd` or `etcdkit serve` from its command line to its end. Never rejects: every failure is a
 * log line and an exit code.
 */
export async function runServe(argv: readonly string[], host: ServeHost): Promise<ServeEnd> {
  const parsed = parseServerConfig(argv, host.environment, host.readFile, host.build);
  if (parsed.kind === 'exit') {
    replayLogs(earlyLogger(nodeClock, host.stderr), parsed.logs);
    host.stdout(parsed.stdout);
    host.stderr(parsed.stderr);
    return { kind: 'exit', code: parsed.code };
  }
  const { config, logs } = parsed;
  try {
    const log = await openServerLog(config.log, {
      ...host,
      // What no-color.org asks of programs.
      hasColours: (host.environment.NO_COLOR ?? '') === '',
      clock: nodeClock,
      fs: nodeFs,
    });
    try {
      replayLogs(log.logger, logs);
      return await serve(config, log.logger, host);
    } finally {
      await log.close();
    }
  } catch (error) {
    earlyLogger(nodeClock, host.stderr).fatal('cannot open the log', { error: text(error) });
    return { kind: 'exit', code: 1 };
  }
}

async function serve(config: ServerConfig, logger: Logger, host: ServeHost): Promise<ServeEnd> {
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  let server: EtcdServer;
  try {
    server = await startServer({
      config,
      logger,
      runtimeVersion: host.build.runtime,
      stdout: host.stdout,
      ...(host.transport === undefined ? {} : { transport: host.transport }),
      ...(host.connectDiscovery === undefined ? {} : { connectDiscovery: host.connectDiscovery }),
      onFatal: fail,
    });
  } catch (error) {
    // Trap: to be removed is no failure of the process; scripts see 0.
    if (error instanceof MemberRemovedError) return { kind: 'exit', code: 0 };
    explainStart(error, config, logger);
    return { kind: 'exit', code: 1 };
  }
  const signalled = new Promise<StopSignal>((resolve) => host.onStopSignal(resolve));
  const end = await Promise.race([
    signalled.then((signal) => ({ signal })),
    failed.then((error) => ({ error })),
  ]);
  if ('error' in end) {
    if (end.error instanceof MemberRemovedError) return { kind: 'exit', code: 0 };
    logger.fatal('server ended', { error: text(end.error) });
    return { kind: 'exit', code: 1 };
  }
  logger.info('received signal; shutting down', { signal: SIGNAL_NAMES[end.signal] });
  try {
    await server.stop();
  } catch (error) {
    logger.fatal('failed to stop cleanly', { error: text(error) });
    return { kind: 'exit', code: 1 };
  }
  return { kind: 'signal', signal: end.signal };
}

/**
 * Trap: whatever the cause of a failed start, etcd's last line has this message and the cause in
 * `error` (reference: server 2.2).
 */
function explainStart(error: unknown, config: ServerConfig, logger: Logger): void {
  if (error instanceof DirectoryLockedError) {
    logger.fatal('discovery failed', {
      error: `data directory ${config.dataDir} is in use by another server; stop it, or choose another --data-dir`,
    });
    return;
  }
  if (error instanceof DiscoveryError) {
    const { discovery } = config;
    logger.warn('failed to bootstrap; discovery token was already used', {
      ...(discovery?.kind === 'service'
        ? { 'discovery-token': discovery.token, 'discovery-endpoints': discovery.endpoints }
        : {}),
      error: error.message,
    });
    logger.warn('do not reuse discovery token; generate a new one to bootstrap a cluster');
    return;
  }
  logger.fatal('discovery failed', { error: text(error) });
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
