import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import AuthCanI from '../../src/commands/auth/can-i.js';
import AuthEnable from '../../src/commands/auth/enable.js';
import AuthStatus from '../../src/commands/auth/status.js';
import RoleGrantPermission from '../../src/commands/role/grant-permission.js';
import UserGet from '../../src/commands/user/get.js';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { binaryPath } from '../support/binary.js';
import { hasRealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { type CommandOptions, runCommand } from '../support/run-command.js';

describe.skipIf(!hasRealEtcd)('auth can-i', () => {
  it('asks a server of 3.4, which does not tell whether authentication is on', async () => {
    const real = await startRealEtcd({ flags: ['--bcrypt-cost=4'] });
    try {
      real.ctl(['user', 'add', 'alice:pw']);
      real.ctl(['role', 'add', 'app']);
      real.ctl(['role', 'grant-permission', 'app', 'read', '/app/', '--prefix']);
      real.ctl(['user', 'grant-role', 'alice', 'app']);
      real.ctl(['user', 'add', 'root:pw']);
      real.ctl(['auth', 'enable']);
      const endpoint = `--endpoints=${real.endpoint}`;
      const argv = [endpoint, '--user=alice:pw', 'alice', 'read', '/app/x'];
      const { stdout, stderr, exitCode } = await runCommand(AuthCanI, argv);
      expect(stdout).toBe('yes\nrole app grants read on ["/app/", "/app0") (prefix "/app/")\n');
      expect(stderr).not.toContain('Authentication is off');
      expect(exitCode).toBe(0);
    } finally {
      await real.stop();
    }
  });
});

type CommandClass = Parameters<typeof runCommand>[0];

describe('auth commands', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd({ flags: ['--bcrypt-cost=4'] });
    const client = new Client({ endpoints: [etcd.endpoint] });
    await client.auth.userAdd({ name: 'root', password: 'pw' });
    await client.auth.userAdd({ name: 'alice', password: 'pw' });
    await client.auth.userAdd({ name: 'nobody', password: 'pw' });
    for (const role of ['app', 'more', 'empty']) await client.auth.roleAdd(role);
    client.close();
    await grant('app', 'read', '/app/', '--prefix');
    await grant('app', 'readwrite', 'b', 'd');
    await grant('more', 'write', 'd', 'f');
  });

  afterAll(() => etcd.stop());

  const run = (command: CommandClass, argv: readonly string[], options?: CommandOptions) =>
    runCommand(command, [`--endpoints=${etcd.endpoint}`, ...argv], options);

  const grant = (...argv: string[]) => run(RoleGrantPermission, argv);

  async function give(user: string, ...roles: string[]): Promise<void> {
    const client = new Client({ endpoints: [etcd.endpoint] });
    for (const role of roles) await client.auth.userGrantRole(user, role);
    client.close();
  }

  it('show the status', async () => {
    const simple = await run(AuthStatus, []);
    expect(simple.stdout).toMatch(/^Authentication Status: false\nAuthRevision: \d+\n$/);
    const json = JSON.parse((await run(AuthStatus, ['-w', 'json'])).stdout);
    expect(json).toEqual({ header: expect.anything(), authRevision: expect.any(Number) });
    const refused = { exitCode: 4, stderr: 'Error: fields not supported as output format\n' };
    expect(await run(AuthStatus, ['-w', 'fields'])).toMatchObject(refused);
    expect(await run(AuthStatus, ['x'])).toEqual({
      stdout: '',
      stderr: 'Error: auth status command does not accept any arguments\n',
      exitCode: 128,
    });
  });

  it('tell a person what a grant covers, and nobody else', async () => {
    const argv = ['app', 'read', '/app', '--prefix'];
    expect(await grant(...argv)).toEqual({ stdout: 'Role app updated\n', stderr: '', exitCode: 0 });
    const seen = await run(RoleGrantPermission, ['empty', 'read', '/x', '--prefix', 'y'], {
      errorIsTerminal: true,
    });
    expect(seen.stderr).toBe('Error: unexpected endkey argument with --prefix flag\n');
    const { stdout, stderr } = await run(RoleGrantPermission, argv, { errorIsTerminal: true });
    expect(stdout).toBe('Role app updated\n');
    expect(stderr).toMatch(/^Covers \["\/app", "\/apq"\) \(prefix "\/app"\)\nWarning: .*"\/app2"/);
  });

  describe('can-i', () => {
    const canI = async (...argv: string[]) => {
      const { stdout, stderr, exitCode } = await run(AuthCanI, argv);
      expect(stderr).toBe('Authentication is off: until it is enabled, everybody may do all.\n');
      expect(exitCode).toBe(stdout.startsWith('yes\n') ? 0 : 1);
      return stdout;
    };
    const RANGE = 'role app grants readwrite on ["b", "d")';
    const MORE = 'role more grants write on ["d", "f")';

    beforeAll(() => give('alice', 'app', 'more'));

    it.each([
      ['read b', `yes\n${RANGE}\n`],
      ['READ b', `yes\n${RANGE}\n`],
      ['write c d', `yes\n${RANGE}\n`],
      ['write c e', `yes\n${RANGE}\n${MORE}\n`],
      ['write b --from-key', `no\nonly a part: ${RANGE}\nonly a part: ${MORE}\n`],
      ['read c e', `no\nnearest: ${RANGE}\nnearest: ${MORE}\n`],
      ['read e', `no\nnearest: ${MORE}\n`],
      ['read x', `no\nnearest: role app grants read on ["/app", "/apq") (prefix "/app")\n`],
      ['write a', `no\nnearest: ${RANGE}\n`],
    ])('alice %s', async (question, answer) => {
      expect(await canI('alice', ...question.split(' '))).toBe(answer);
    });

    it('knows users without permissions', async () => {
      expect(await canI('nobody', 'read', 'k')).toBe('no\nuser nobody has no roles\n');
      await give('nobody', 'empty');
      expect(await canI('nobody', 'read', 'k')).toBe(
        'no\nthe roles of user nobody have no permissions\n',
      );
    });

    it('answers in JSON', async () => {
      expect(JSON.parse(await jsonOf('alice', 'write', 'd'))).toEqual({
        user: 'alice',
        access: 'write',
        key: 'ZA==',
        allowed: true,
        reason: 'granted',
        rules: [{ role: 'more', permission: { permType: 1, key: 'ZA==', range_end: 'Zg==' } }],
      });
    });

    const jsonOf = async (...argv: string[]): Promise<string> =>
      (await run(AuthCanI, [...argv, '-w', 'json'])).stdout;

    it.each([
      [[], 'auth can-i requires user name, read or write, and key [range_end]'],
      [['alice', 'fly', 'k'], 'auth can-i requires user name, read or write, and key [range_end]'],
      [['alice', 'read', ''], 'the key is empty'],
      [['alice', 'read', 'k', 'l', '--prefix'], 'unexpected range_end with --prefix or --from-key'],
      [
        ['alice', 'read', 'k', '--prefix', '--from-key'],
        '--from-key and --prefix flags are mutually exclusive',
      ],
    ])('refuses %j', async (argv, message) => {
      expect(await run(AuthCanI, argv)).toEqual({
        stdout: '',
        stderr: `Error: ${message}\n`,
        exitCode: 128,
      });
    });

    it('says who is not there', async () => {
      const { stderr, exitCode } = await run(AuthCanI, ['eve', 'read', 'k']);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('Error: etcdserver: user name not found\n');
    });
  });

  it('answer users about themselves once authentication is on', async () => {
    expect((await run(AuthEnable, [])).stdout).toBe('Authentication Enabled\n');
    const argv = ['read', 'b', '--user=alice:pw'];
    expect(await run(AuthCanI, ['alice', ...argv])).toMatchObject({ exitCode: 0, stderr: '' });
    const other = await run(AuthCanI, ['nobody', ...argv]);
    expect(other).toMatchObject({ stdout: '', exitCode: 1 });
    expect(other.stderr).toContain('Error: etcdserver: permission denied\n');
    const root = await run(AuthCanI, ['root', 'write', 'x', '--user=root:pw']);
    expect(root.stdout).toBe('yes\nuser root has the role root, which may do everything\n');
    const { stdout } = await run(AuthStatus, ['--user=root:pw']);
    expect(stdout).toMatch(/^Authentication Status: true\n/);
  });

  it('ask for a password once authentication is on', async () => {
    const { stdout } = await run(UserGet, ['root', '--user=root'], { stdin: 'pw\n' });
    expect(stdout).toBe('Password: \nUser: root\nRoles: root\n');
  });
});

const SCRIPT = '/usr/bin/script';

describe.skipIf(!existsSync(SCRIPT))('user add on a terminal', () => {
  let etcd: TestEtcd;

  beforeAll(async () => {
    etcd = await startEtcd({ flags: ['--bcrypt-cost=4'] });
    const client = new Client({ endpoints: [etcd.endpoint] });
    await client.auth.userAdd({ name: 'root', password: 'pw' });
    client.close();
    await runCommand(AuthEnable, [`--endpoints=${etcd.endpoint}`]);
  });

  afterAll(() => etcd.stop());

  /** What the terminal shows in the end. */
  async function typeIn(answers: { readonly to: string; readonly keys: string }[]) {
    const endpoint = `--endpoints=${etcd.endpoint}`;
    const program = [process.execPath, binaryPath('etcdctl'), endpoint, '--user=root:pw'];
    const child = spawn(SCRIPT, ['-qec', [...program, 'user add typed'].join(' '), '/dev/null']);
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
      if (answers[0] !== undefined && shown.endsWith(answers[0].to)) {
        child.stdin.write(answers.shift()?.keys);
      }
    });
    await new Promise((resolve) => child.on('close', resolve));
    return shown.replaceAll('\r', '');
  }

  it('takes the password without echo', async () => {
    const shown = await typeIn([
      { to: 'Password of typed: ', keys: 'sekk\x7fret\r' },
      { to: 'confirmation: ', keys: 'wrong\x15sekret\r' },
    ]);
    expect(shown).toBe(
      'Password of typed: \nType password of typed again for confirmation: \nUser typed created\n',
    );
    const argv = [`--endpoints=${etcd.endpoint}`, 'typed', '--user=typed:sekret'];
    expect((await runCommand(UserGet, argv)).exitCode).toBe(0);
  });

  it('takes both lines at once', async () => {
    const shown = await typeIn([{ to: 'Password of typed: ', keys: 'one\rtwo\r' }]);
    expect(shown).toMatch(/again for confirmation: \nError: given passwords are different\n$/);
  });
});
