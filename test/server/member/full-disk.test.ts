import { expect, it, onTestFinished } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../../src/base/logger.js';
import { Client } from '../../../src/client/client.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { parseServerConfig } from '../../../src/server/config/parse-server-config.js';
import { memoryPlatform, type ServerPlatform } from '../../../src/server/platform.js';
import { type EtcdServer, startServer } from '../../../src/server/server.js';
import { MemoryBackend, MemoryDisk } from '../../../src/storage/backend/memory.js';

const ANY_PORT = 'http://127.0.0.1:0';
const VALUE_BYTES = 10_000;
/** Room for about a hundred values. */
const FREE_BYTES = 1_000_000;
const CLIENTS = 8;
const PATIENCE_MILLIS = 2000;

const bytes = (text: string): Buffer => Buffer.from(text);

/** A logger that remembers what is wrong. */
function listeningLogger(): { logger: Logger; loud: string[] } {
  const loud: string[] = [];
  const hear = (message: string, fields?: LogFields): void => {
    loud.push(`${message}: ${String(fields?.error)}`);
  };
  const logger: Logger = {
    ...silentLogger,
    error: hear,
    fatal: hear,
    named: () => logger,
    at: () => logger,
  };
  return { logger, loud };
}

function start(
  platform: ServerPlatform,
  logger: Logger,
  onFatal: (error: unknown) => void,
): Promise<EtcdServer> {
  const flags = [
    `--listen-client-urls=${ANY_PORT}`,
    `--advertise-client-urls=${ANY_PORT}`,
    `--listen-peer-urls=${ANY_PORT}`,
  ];
  const parsed = parseServerConfig(flags, {}, () => '');
  if (parsed.kind === 'exit') throw new Error(parsed.stderr);
  return startServer({
    config: parsed.config,
    logger,
    platform,
    runtimeVersion: 'node',
    onFatal,
  });
}

it('ends with one clear line when the disk is full, and has all that it acknowledged', async () => {
  const fs = new MemoryFs();
  const disk = new MemoryDisk();
  const platform: ServerPlatform = {
    ...memoryPlatform(),
    fs,
    openBackend: async () => new MemoryBackend({ disk, clock: nodeClock }),
  };
  const { logger, loud } = listeningLogger();
  let end: (error: unknown) => void = () => {};
  const ended = new Promise<unknown>((resolve) => {
    end = resolve;
  });
  const server = await start(platform, logger, end);
  const client = new Client({ endpoints: [...server.clientAddresses] });
  onTestFinished(() => client.close());
  fs.limitSpace(FREE_BYTES);
  const acknowledged: string[] = [];
  const failures: unknown[] = [];
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const key = `${writer}/${i}`;
      try {
        // A call that the server never saw waits for another server, as long as it may.
        const deadlineMillis = client.deadlineIn(PATIENCE_MILLIS);
        const request = { key: bytes(key), value: Buffer.alloc(VALUE_BYTES, 'v') };
        await client.kv.put(request, { deadlineMillis });
        acknowledged.push(key);
      } catch (error) {
        failures.push(error);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, writer) => write(writer)));
  expect(failures).toHaveLength(CLIENTS);
  expect(String(await ended)).toContain('ENOSPC');
  await server.stop().catch((error: unknown) => expect(String(error)).toContain('ENOSPC'));
  expect(loud).toHaveLength(1);
  expect(loud[0]).toContain('ENOSPC');
  expect(acknowledged.length).toBeGreaterThan(10);

  fs.limitSpace(Number.POSITIVE_INFINITY);
  const again = await start(platform, silentLogger, () => {});
  onTestFinished(() => again.stop());
  const reader = new Client({ endpoints: [...again.clientAddresses] });
  onTestFinished(() => reader.close());
  const all = await reader.kv.range({ key: bytes('0'), rangeEnd: bytes('z'), keysOnly: true });
  const found = new Set(all.kvs.map(({ key }) => key.toString()));
  expect(acknowledged.filter((key) => !found.has(key))).toEqual([]);
});
