import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { Client } from '../../../src/client/client.js';
import { GrpcCode } from '../../../src/proto/errors.js';
import { AuditThread } from '../../../src/server/audit/audit-thread.js';
import { RecordChunk } from '../../../src/server/audit/record-chunk.js';
import type { LogRotation } from '../../../src/server/config/log-rotation.js';
import { binaryPath } from '../../support/binary.js';
import { logLines, startEtcdProcess } from '../../support/etcd-process.js';
import { tempDir } from '../../support/temp-dir.js';
import { logKeeper } from '../tls/world.js';

const CALLER = Buffer.from(',"user":"u"');

/** The program of the thread, as built. */
const program = (): URL =>
  new URL('../dist/server/audit/audit-worker.js', pathToFileURL(binaryPath('etcd')));

function chunkOf(numbers: readonly number[], padding = 0): Uint8Array {
  const chunk = new RecordChunk();
  chunk.reset(0, Date.UTC(2030, 0, 1));
  for (const number of numbers) {
    const members = `,"n":${number},"padding":"${'.'.repeat(padding)}"`;
    chunk.addMembers(0, GrpcCode.OK, 0, number, CALLER, members, members.length);
  }
  return chunk.close();
}

async function open(path: string, rotation?: LogRotation, thread = program()) {
  const { logger, lines } = logKeeper();
  const opened = await AuditThread.open({ program: thread, settings: { path, rotation }, logger });
  onTestFinished(() => opened.close());
  return { thread: opened, lines };
}

const numbersOf = (text: string): number[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { n: number }).n);

it('writes the lines of records that it was handed, from where it shall go on', async () => {
  const path = join(await tempDir(), 'audit.log');
  const { thread } = await open(path);
  expect(await thread.write([chunkOf([1, 2]), chunkOf([3])], 0)).toEqual({ records: 3 });
  expect(await thread.write([chunkOf([3, 4]), chunkOf([5])], 1)).toEqual({ records: 3 });
  await thread.close();
  const text = await readFile(path, 'utf8');
  expect(numbersOf(text)).toEqual([1, 2, 3, 4, 5]);
  expect(text).toContain('"time":"2030-01-01T00:00:00.002Z","method":"KV/Range","user":"u","n":2');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it('rotates the file', async () => {
  const directory = await tempDir();
  const rotation = {
    maxSizeMegabytes: 1,
    maxAgeDays: 0,
    maxBackups: 0,
    localTime: false,
    compress: true,
  };
  const { thread } = await open(join(directory, 'audit.log'), rotation);
  for (let number = 0; number < 30; number++) {
    await thread.write([chunkOf([number], 100_000)], 0);
  }
  await thread.close();
  const names = await readdir(directory);
  expect(names.filter((name) => name.endsWith('.gz'))).toHaveLength(2);
  expect(numbersOf(await readFile(join(directory, 'audit.log'), 'utf8')).at(-1)).toBe(29);
});

it('says why the file cannot be opened', async () => {
  const path = join(await tempDir(), 'absent', 'audit.log');
  await expect(open(path)).rejects.toThrow(/^ENOENT: no such file or directory/);
});

it('starts again when the thread ended', async () => {
  const directory = await tempDir();
  const marker = JSON.stringify(join(directory, 'marker'));
  const mortal = new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { existsSync, writeFileSync } from 'node:fs';
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', ({ kind, chunks }) => {
        if (kind === 'close') parentPort.postMessage({ kind: 'closed' });
        else if (existsSync(${marker}))
          parentPort.postMessage({ kind: 'written', progress: { records: chunks.length } });
        else {
          writeFileSync(${marker}, '');
          process.exit(1);
        }
      });
      parentPort.postMessage({ kind: 'opened' });
    `)}`,
  );
  const { thread } = await open(join(directory, 'audit.log'), undefined, mortal);
  expect(await thread.write([chunkOf([1])], 0)).toEqual({
    records: 0,
    failure: 'Error: the thread of the audit log ended',
  });
  expect(await thread.write([chunkOf([1])], 0)).toEqual({ records: 1 });
});

it('has the line of every put of a server that is told to stop, in order', async () => {
  const directory = await tempDir();
  const path = join(directory, 'audit.log');
  const server = await startEtcdProcess(join(directory, 'data'), [`--audit-log=${path}`]);
  const client = new Client({ endpoints: [server.endpoint] });
  const keys = Array.from({ length: 3000 }, (_, number) => `key-${number}`);
  await Promise.all(
    keys.map((key) => client.kv.put({ key: Buffer.from(key), value: Buffer.from('a-secret') })),
  );
  client.close();
  const { code, stderr } = await server.kill('SIGTERM');
  expect(code).not.toBe(1);
  expect(logLines(stderr)).toContainEqual(
    expect.objectContaining({ msg: 'writing an audit log', 'own-thread': true }),
  );
  const text = await readFile(path, 'utf8');
  expect(text).not.toContain('a-secret');
  const lines = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { method: string; key: string; revision: number })
    .filter(({ method }) => method === 'KV/Put');
  expect(lines.map(({ key }) => key).sort()).toEqual([...keys].sort());
  expect(lines.map(({ revision }) => revision)).toEqual(keys.map((_, position) => position + 2));
});
