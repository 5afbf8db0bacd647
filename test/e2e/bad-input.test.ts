import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { credentials, Client as GrpcJsClient, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PutRequest } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../src/proto/services.js';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { logLines, spawnEtcd, startEtcdProcess } from '../support/etcd-process.js';
import { failureOf, GrpcClient } from '../support/grpc-client.js';
import { listenOnLoopback } from '../support/loopback.js';
import { RawStream } from '../support/raw-stream.js';
import { runBinary } from '../support/run-binary.js';
import { tempDir } from '../support/temp-dir.js';

const { kv, watch } = SERVICES;
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const KIB = 1024;

const bytes = (text: string): Buffer => Buffer.from(text);

/** Calls a method with bytes as they are; gives the status. */
function statusOfRaw(endpoint: string, path: string, message: Buffer): Promise<ServiceError> {
  const client = new GrpcJsClient(endpoint, credentials.createInsecure());
  const asIs = (value: Buffer): Buffer => value;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, asIs, asIs, message, (error) => {
      client.close();
      if (error === null) reject(new Error('the call succeeded'));
      else resolve(error);
    });
  });
}

describe('a request that is wrong', () => {
  let etcd: TestEtcd;
  let grpc: GrpcClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    grpc = new GrpcClient(etcd.endpoint);
  });

  afterAll(async () => {
    grpc?.close();
    await etcd?.stop();
  });

  it('is Internal if it is no message', async () => {
    for (const garbage of [
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x0a, 0x7f, 0x01]),
      Buffer.from([0x08]),
    ]) {
      const { code, details } = await statusOfRaw(etcd.endpoint, kv.put.path, garbage);
      expect(code).toBe(INTERNAL);
      expect(details).not.toBe('');
    }
    const stream = new RawStream(etcd.url, watch.watch);
    onTestFinished(() => stream.close());
    stream.sendBytes(Buffer.from([0xff, 0xff]));
    expect(await stream.status).toBe(String(INTERNAL));
  });

  it('is refused if it is too large for the log, and at once if it is larger still', async () => {
    const put = (size: number) =>
      grpc.unary(kv.put, { key: bytes('k'), value: Buffer.alloc(size) });
    expect(await failureOf(put(1536 * KIB))).toEqual({
      code: INVALID_ARGUMENT,
      message: 'etcdserver: request is too large',
    });
    const size = 2048 * KIB;
    const message = PutRequest.create({ key: bytes('k'), value: Buffer.alloc(size) });
    const length = PutRequest.encode(message).finish().length;
    expect(await failureOf(put(size))).toEqual({
      code: RESOURCE_EXHAUSTED,
      message: `grpc: received message larger than max (${length} vs. ${2048 * KIB})`,
    });
    await put(1535 * KIB);
  });

  it('is Unimplemented if nobody serves it', async () => {
    const call = (path: string) => statusOfRaw(etcd.endpoint, path, Buffer.alloc(0));
    expect(await call('/etcdserverpb.KV/Nothing')).toMatchObject({
      code: UNIMPLEMENTED,
      details: 'unknown method Nothing for service etcdserverpb.KV',
    });
    expect(await call('/nobody.Nothing/Put')).toMatchObject({
      code: UNIMPLEMENTED,
      details: 'unknown service nobody.Nothing',
    });
  });

  it('leaves the server as it was', async () => {
    await grpc.unary(kv.put, { key: bytes('still'), value: bytes('here') });
    const { kvs } = await grpc.unary(kv.range, { key: bytes('still') });
    expect(`${kvs[0]?.value}`).toBe('here');
  });
});

/** What a server that can't start says last; all it says above `warn` is that line. */
async function refusal(
  directory: string,
  flags: readonly string[] = [],
): Promise<{ code: number | string; error: string }> {
  const { code, stderr } = await spawnEtcd(directory, flags).exit;
  const loud = logLines(stderr).filter(({ level }) => !['info', 'warn', 'debug'].includes(level));
  expect(loud).toHaveLength(1);
  expect(stderr.trimEnd().split('\n')).toHaveLength(logLines(stderr).length);
  return { code, error: String(loud[0]?.error) };
}

/** The data directory of a server that has written and was killed. */
async function usedDirectory(): Promise<string> {
  const directory = await tempDir();
  const server = await startEtcdProcess(directory);
  const grpc = new GrpcClient(server.endpoint);
  for (let i = 0; i < 50; i++) {
    await grpc.unary(kv.put, { key: bytes(`k${i}`), value: Buffer.alloc(2000, 'v') });
  }
  // Taking a hash commits the database.
  await grpc.unary(SERVICES.maintenance.hashKV, {});
  grpc.close();
  await server.kill('SIGKILL');
  return directory;
}

describe('a server that cannot start', () => {
  it('exits with 2 for a flag it does not know', async () => {
    const { exitCode, stderr } = await runBinary('etcd', ['--no-such-flag']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('no-such-flag');
  });

  it('names the port that is in use', async () => {
    const holder = createServer();
    const port = await listenOnLoopback(holder);
    onTestFinished(() => void holder.close());
    const flags = [`--listen-client-urls=http://127.0.0.1:${port}`];
    const { code, error } = await refusal(await tempDir(), flags);
    expect(code).toBe(1);
    expect(error).toContain(`127.0.0.1:${port}`);
    expect(error).toContain('in use');
  });

  it('names a data directory that is a file, or has one in its place', async () => {
    const directory = await tempDir();
    const file = join(directory, 'file');
    await writeFile(file, 'x');
    for (const path of [file, join(file, 'below')]) {
      const { code, error } = await refusal(path);
      expect(code).toBe(1);
      expect(error).toContain(file);
    }
    await mkdir(join(directory, 'data', 'member'), { recursive: true });
    await writeFile(join(directory, 'data', 'member', 'snap'), 'x');
    const { code, error } = await refusal(join(directory, 'data'));
    expect(code).toBe(1);
    expect(error).toContain(join('member', 'snap'));
  });

  it('says that another server uses the data directory, which that one goes on doing', async () => {
    const directory = await tempDir();
    const server = await startEtcdProcess(directory);
    onTestFinished(async () => void (await server.kill('SIGKILL')));
    const { code, error } = await refusal(directory);
    expect(code).toBe(1);
    expect(error).toContain(directory);
    expect(error).toContain('in use by another');
    const grpc = new GrpcClient(server.endpoint);
    onTestFinished(() => grpc.close());
    await grpc.unary(kv.put, { key: bytes('k') });
  });

  it('names file and offset of a log that is garbled', async () => {
    const directory = await usedDirectory();
    const name = '0000000000000000-0000000000000000.wal';
    const file = await open(join(directory, 'member', 'wal', name), 'r+');
    await file.write(Buffer.from([0xff, 0xff, 0xff]), 0, 3, 20_003);
    await file.close();
    const { code, error } = await refusal(directory);
    expect(code).toBe(1);
    expect(error).toContain(name);
    expect(Number(/position: (\d+)/.exec(error)?.[1])).toBeLessThan(20_003);
  });

  it('names the database that is cut short, or is no database', async () => {
    const directory = await usedDirectory();
    const path = join(directory, 'member', 'snap', 'db.lmdb');
    const content = await readFile(path);
    const damages = [
      () => truncate(path, content.length / 2),
      () => truncate(path, 5000),
      () => truncate(path, 100),
      () => writeFile(path, Buffer.alloc(content.length, 0xab)),
    ];
    for (const damage of damages) {
      await writeFile(path, content);
      await damage();
      const { code, error } = await refusal(directory);
      expect(code).toBe(1);
      expect(error).toContain('db.lmdb');
    }
    await writeFile(path, content);
    const server = await startEtcdProcess(directory);
    await server.kill('SIGKILL');
  });
});
