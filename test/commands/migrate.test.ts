import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import Migrate from '../../src/commands/migrate.js';
import { readDatabase } from '../../src/offline/database.js';
import { fileHashKv } from '../../src/offline/file-hash-kv.js';
import { storageVersionOf } from '../../src/offline/storage-version.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { startEtcdProcess } from '../support/etcd-process.js';
import { unpackRealEtcd } from '../support/recorded-directory.js';
import { runCommand } from '../support/run-command.js';
import { sharedPath } from '../support/shared.js';
import { tempDir } from '../support/temp-dir.js';

const fixtures = sharedPath('fixtures');

const dataOf = async (version: string): Promise<string> =>
  unpackRealEtcd(version.slice(1), await tempDir());

const migrate = (data: string, version: string, ...flags: string[]) =>
  runCommand(Migrate, ['--data-dir', data, '--target-version', version, ...flags]);

const stored = (data: string) => readDatabase(nodeFs, data, storageVersionOf);

/** Messages and fields of the log lines. */
const said = (stderr: string) =>
  stderr
    .trim()
    .split('\n')
    .map((line) => line.split('\t').slice(3).join('\t'));

describe('migrate', () => {
  it.each([
    ['3', 'wrong target version format, expected "X.Y", got "3"'],
    ['3.6.0', 'wrong target version format, expected "X.Y", got "3.6.0"'],
    ['3.a', 'failed to parse target version: strconv.ParseInt: parsing "a": invalid syntax'],
    ['3.4', 'target version "3.4" not supported. Minimal "3.5"'],
  ])('refuses %s as a target', async (version, message) => {
    const { stderr, exitCode } = await migrate('/nowhere', version);
    expect(stderr).toBe(`Error: ${message}\n`);
    expect(exitCode).toBe(128);
  });

  it('asks for its flags, and for a database', async () => {
    const none = await runCommand(Migrate, []);
    expect(none.stderr).toBe('Error: required flag(s) "data-dir", "target-version" not set\n');
    const absent = await migrate('/nowhere', '3.6');
    expect(absent.stderr).toBe('Error: stat /nowhere/member/snap/db: no such file or directory\n');
    expect(absent.exitCode).toBe(1);
  });
});

describe.skipIf(fixtures === undefined)('migrate of the directory of a real etcd', () => {
  it('goes up and down step by step and changes nothing else', async () => {
    const data = await dataOf('v3.5.30');
    const hash = await fileHashKv(nodeFs, data, 0);
    expect(await stored(data)).toBe('3.5');
    const up = await migrate(data, '3.7');
    expect(said(up.stderr)).toEqual([
      'updated storage version\t{"new-storage-version": "3.6.0"}',
      'updated storage version\t{"new-storage-version": "3.7.0"}',
    ]);
    expect(await stored(data)).toBe('3.7');
    const again = await migrate(data, '3.7');
    expect(said(again.stderr)).toEqual(['storage version up-to-date\t{"storage-version": "3.7"}']);
    expect((await migrate(data, '3.5')).exitCode).toBe(0);
    expect(await stored(data)).toBe('3.5');
    expect(await fileHashKv(nodeFs, data, 0)).toEqual(hash);
    expect(readdirSync(join(data, 'member/snap')).filter((name) => name.startsWith('db'))).toEqual([
      'db',
    ]);
  });

  it('knows no way to what is not known, unless forced', async () => {
    const data = await dataOf('v3.5.30');
    const before = readFileSync(join(data, 'member/snap/db'));
    const refused = await migrate(data, '3.8');
    expect(refused.stderr).toBe(
      'Error: cannot create migration plan: version "3.8.0" is not supported\n',
    );
    expect(readFileSync(join(data, 'member/snap/db')).equals(before)).toBe(true);
    const forced = await migrate(data, '3.8', '--force');
    expect(said(forced.stderr)).toEqual([
      'normal migrate failed, trying with force\t{"error": "cannot create migration plan: version \\"3.8.0\\" is not supported"}',
      'forcefully set storage version\t{"storage-version": "3.8"}',
    ]);
    await expect(stored(data)).rejects.toThrow('version "3.8.0" is not supported');
    const back = await migrate(data, '3.5', '--force');
    expect(said(back.stderr).at(-1)).toBe('forcefully cleared storage version');
    expect(await stored(data)).toBe('3.5');
  });

  it('cannot tell the version of data of 3.4', async () => {
    const { stderr, exitCode } = await migrate(await dataOf('v3.4.23'), '3.6');
    expect(stderr).toMatch(
      /failed to detect storage version\. .*\nError: missing term information\n$/,
    );
    expect(exitCode).toBe(1);
  });
});

describe('migrate of a directory of ours', () => {
  it('changes it while no server uses it', async () => {
    const data = await tempDir();
    const server = await startEtcdProcess(data, ['--unsafe-no-fsync']);
    expect((await migrate(data, '3.6')).stderr).toContain('in use by another server');
    await server.kill('SIGTERM');
    expect(await stored(data)).toBe('3.7');
    expect((await migrate(data, '3.5')).exitCode).toBe(0);
    expect(await stored(data)).toBe('3.5');
    expect((await migrate(data, '3.6')).exitCode).toBe(0);
    expect(await stored(data)).toBe('3.6');
  });
});
