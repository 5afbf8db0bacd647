import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Client } from '../../src/client/client.js';
import Defrag from '../../src/commands/defrag.js';
import { lockFile } from '../../src/platform/file-lock.js';
import { startEtcdProcess } from '../support/etcd-process.js';
import { hasRealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { REAL_ENVIRONMENT, REAL_FILES_PROGRAM } from '../support/real-programs.js';
import { runBinary } from '../support/run-binary.js';
import { runCommand } from '../support/run-command.js';
import { tempDir } from '../support/temp-dir.js';

const ROUNDS = 40;
const KEYS = 100;

/** Leaves pages that are free: overwritten values, and a compaction. */
async function churn(endpoint: string): Promise<void> {
  const client = new Client({ endpoints: [endpoint] });
  let revision = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const puts = Array.from({ length: KEYS }, (_, index) =>
      client.kv.put({ key: Buffer.from(`key-${index}`), value: Buffer.alloc(500, round) }),
    );
    const done = await Promise.all(puts);
    revision = done[0]?.header?.revision ?? 0;
  }
  await client.kv.deleteRange({ key: Buffer.from('key-7') });
  await client.kv.compact({ revision, physical: true });
  client.close();
}

async function hashOf(endpoint: string): Promise<{ hash: number; compactRevision: number }> {
  const client = new Client({ endpoints: [endpoint] });
  try {
    const { hash, compactRevision } = await client.maintenance.hashKv(0);
    return { hash, compactRevision };
  } finally {
    client.close();
  }
}

async function fileHash(path: string) {
  const { stdout } = await runBinary('etcdutl', ['hashkv', '-wjson', path]);
  return JSON.parse(stdout.toString());
}

const snapNames = (data: string) => readdirSync(join(data, 'member/snap')).sort();

describe.skipIf(!hasRealEtcd)('defrag of the directory of a real etcd', () => {
  it('waits for its lock, shrinks the file, and etcd goes on from it', async () => {
    const first = await startRealEtcd({ flags: ['--unsafe-no-fsync'] });
    const { dataDir, ports, endpoint } = first;
    await churn(endpoint);
    const before = await hashOf(endpoint);
    const file = join(dataDir, 'member/snap/db');
    // It commits every 100 ms; a file that is read while it is written to must not give an answer.
    await expect.poll(() => fileHash(dataDir), { timeout: 5000 }).toMatchObject(before);
    const argv = ['defrag', '--data-dir', dataDir, '--timeout=300ms'];
    const refused = await runBinary('etcdutl', argv);
    expect(refused.stderr).toContain(`Failed to defragment etcd data[${dataDir}] (${file}: it is`);
    expect(refused.exitCode).toBe(2);
    expect(await hashOf(endpoint)).toEqual(before);
    await first.kill();
    const size = readFileSync(file).length;
    const names = snapNames(dataDir);
    const done = await runBinary('etcdutl', argv);
    expect(done.stderr).toMatch(/\tdefragmenting\t.*\n.*\tfinished defragmenting directory\t/);
    expect(done.exitCode).toBe(0);
    expect(readFileSync(file).length).toBeLessThan(size / 4);
    expect(snapNames(dataDir)).toEqual(names);
    const second = await startRealEtcd({ dataDir, ports, flags: ['--unsafe-no-fsync'] });
    try {
      expect(await hashOf(endpoint)).toEqual(before);
      await churn(endpoint);
      // bbolt itself checks the whole tree, with pages of ours and pages of its own.
      const snapshot = join(await tempDir(), 'after.db');
      second.ctl(['snapshot', 'save', snapshot]);
      const checked = await promisify(execFile)(
        REAL_FILES_PROGRAM,
        ['snapshot', 'status', snapshot],
        { env: REAL_ENVIRONMENT },
      );
      expect(checked.stdout).toMatch(/^[0-9a-f]+, \d+/);
    } finally {
      await second.stop();
    }
  });

  it('leaves a damaged file as it is', async () => {
    const real = await startRealEtcd({ flags: ['--unsafe-no-fsync'] });
    try {
      await churn(real.endpoint);
      await real.kill();
      const file = join(real.dataDir, 'member/snap/db');
      const bytes = readFileSync(file);
      for (let at = 2 * 4096; at < bytes.length; at += 4096) {
        if (bytes.readUInt16LE(at + 8) === 1) bytes.fill(0xee, at + 16, at + 64);
      }
      await writeFile(file, bytes);
      const names = snapNames(real.dataDir);
      const { stderr, exitCode } = await runCommand(Defrag, ['--data-dir', real.dataDir]);
      expect(stderr).toMatch(/^Error: Failed to defragment etcd data.*\(offset \d+\)\)$/m);
      expect(exitCode).toBe(1);
      expect(readFileSync(file).equals(bytes)).toBe(true);
      expect(snapNames(real.dataDir)).toEqual(names);
    } finally {
      await real.stop();
    }
  });
});

describe('defrag of a directory of ours', () => {
  it('is refused while a server runs, and shrinks the file afterwards', async () => {
    const data = await tempDir();
    const first = await startEtcdProcess(data, ['--unsafe-no-fsync']);
    await churn(first.endpoint);
    const before = await hashOf(first.endpoint);
    await expect.poll(() => fileHash(data), { timeout: 5000 }).toMatchObject(before);
    const refused = await runBinary('etcdutl', ['defrag', '--data-dir', data]);
    expect(refused.stderr).toContain('in use by another server');
    expect(refused.exitCode).toBe(1);
    await first.kill('SIGTERM');
    const file = join(data, 'member/snap/db.lmdb');
    const size = readFileSync(file).length;
    const done = await runBinary('etcdctl', ['defrag', '--data-dir', data]);
    expect(done.exitCode).toBe(0);
    expect(readFileSync(file).length).toBeLessThan(size / 2);
    const second = await startEtcdProcess(data, ['--unsafe-no-fsync']);
    expect(await hashOf(second.endpoint)).toEqual(before);
    await second.kill('SIGTERM');
  });
});

describe('defrag --data-dir', () => {
  it('says which file is not there', async () => {
    const { stderr, exitCode } = await runCommand(Defrag, ['--data-dir', '/nowhere']);
    expect(stderr).toBe(
      'Error: Failed to defragment etcd data[/nowhere] (stat /nowhere/member/snap/db: no such file or directory)\n',
    );
    expect(exitCode).toBe(1);
  });

  it('is required of etcdutl', async () => {
    const { stderr, exitCode } = await runBinary('etcdutl', ['defrag']);
    expect(stderr).toBe('Error: required flag(s) "data-dir" not set\n');
    expect(exitCode).toBe(1);
  });
});

describe('the lock of a file', () => {
  it('is one with flock(2) of other programs', async () => {
    const path = join(await tempDir(), 'db');
    await writeFile(path, '');
    const lock = await lockFile(path, 0);
    await expect(lockFile(path, 1)).rejects.toThrow(`${path}: it is locked`);
    await lock.release();
    const other = spawn('flock', ['-x', path, 'sh', '-c', 'echo held; exec cat']);
    onTestFinished(() => void other.kill('SIGKILL'));
    await once(other.stdout, 'data');
    await expect(lockFile(path, 1)).rejects.toThrow(`${path}: it is locked`);
    const waiting = lockFile(path, 0);
    other.stdin.end();
    await (await waiting).release();
  });
});
