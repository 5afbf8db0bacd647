/**
 * `etcdkit/testing`: an etcd inside a test process.
 *
 *     import { startEtcd } from 'etcdkit/testing';
 *     const etcd = await startEtcd();
 *     // connect a client to etcd.endpoint
 *     await etcd.stop();
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from './base/logger.js';
import { parseServerConfig } from './server/config/parse-server-config.js';
import { memoryPlatform, nodePlatform } from './server/platform.js';
import { type EtcdServer, startServer } from './server/server.js';

export interface StartEtcdOptions {
  /**
   * Where the data lives: `memory` (default) is quick and gone at the stop; `disk` is a temporary
   * directory, removed at the stop; a path is a directory that stays.
   */
  readonly storage?: 'memory' | 'disk' | { readonly directory: string };
  /** Further flags of the server, e.g. `['--max-txn-ops=1024']`. */
  readonly flags?: readonly string[];
  /** Takes the server's log lines; by default there are none. */
  readonly logger?: Logger;
}

/** A running member. */
export interface TestEtcd {
  /** `127.0.0.1:PORT`, for clients. */
  readonly endpoint: string;
  /** `http://127.0.0.1:PORT`, for `/health`, `/metrics` and clients that want a URL. */
  readonly url: string;
  /** The data directory; undefined in memory. */
  readonly dataDirectory: string | undefined;
  /** Stops the member and removes what it left. Calling it again does nothing. */
  stop(): Promise<void>;
}

/**
 * Starts a member of its own on a free port of the loopback interface.
 * @throws Error if a flag is wrong or the directory can't be served
 */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<TestEtcd> {
  const storage = options.storage ?? 'memory';
  const temporary =
    storage === 'disk' ? await mkdtemp(join(tmpdir(), 'etcdkit-testing-')) : undefined;
  const dataDirectory = temporary ?? (typeof storage === 'object' ? storage.directory : undefined);
  const remove = async (): Promise<void> => {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  };
  try {
    const server = await start(dataDirectory, options);
    const [endpoint = ''] = server.clientAddresses;
    return {
      endpoint,
      url: `http://${endpoint}`,
      dataDirectory,
      async stop() {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

function start(
  dataDirectory: string | undefined,
  { flags = [], logger = silentLogger }: StartEtcdOptions,
): Promise<EtcdServer> {
  const anyPort = 'http://127.0.0.1:0';
  const parsed = parseServerConfig(
    [
      `--data-dir=${dataDirectory ?? '/etcd'}`,
      `--listen-client-urls=${anyPort}`,
      `--advertise-client-urls=${anyPort}`,
      `--listen-peer-urls=${anyPort}`,
      // Nothing but the flags counts: a test must not depend on the machine it runs on.
      ...flags,
    ],
    {},
    () => '',
  );
  if (parsed.kind === 'exit') throw new Error(parsed.stderr.trim() || 'wrong flags');
  return startServer({
    config: parsed.config,
    logger,
    platform: dataDirectory === undefined ? memoryPlatform() : nodePlatform,
    runtimeVersion: 'node',
    onFatal: (error) => logger.fatal('the test server ended', { error: String(error) }),
  });
}
