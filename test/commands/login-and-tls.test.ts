import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/loopback.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runBinary } from '../support/run-binary.js';

/** stderr without log lines. */
function spoken(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => !line.startsWith('{"level"'))
    .join('\n');
}

describe.skipIf(!hasRealEtcd)('logging in', () => {
  let server: RealEtcd;

  beforeAll(async () => {
    server = await startRealEtcd();
    server.ctl(['user', 'add', 'root:secret']);
    server.ctl(['user', 'grant-role', 'root', 'root']);
    server.ctl(['auth', 'enable']);
  });

  afterAll(async () => {
    await server.stop();
  });

  const put = (flags: readonly string[], options: Parameters<typeof runBinary>[2] = {}) =>
    runBinary('etcdctl', [`--endpoints=${server.endpoint}`, ...flags, 'put', 'k', 'v'], options);

  it.each([[['--user=root:secret']], [['--user', 'root', '--password', 'secret']]])(
    'works with %j',
    async (flags) => {
      const { stdout, stderr } = await put(flags);
      expect(stdout.toString()).toBe('OK\n');
      expect(stderr).toBe('');
    },
  );

  it('works with variables', async () => {
    const environment = { ETCDCTL_USER: 'root:secret' };
    expect((await put([], { environment })).stdout.toString()).toBe('OK\n');
  });

  it('asks for a password that is missing', async () => {
    const { stdout, exitCode } = await put(['--user=root'], { stdin: ' secret \n' });
    expect(stdout.toString()).toBe('Password: \nOK\n');
    expect(exitCode).toBe(0);
  });

  it('takes no answer for an empty password, as etcdctl does', async () => {
    const { stderr, exitCode } = await put(['--user=root'], { stdin: '' });
    expect(spoken(stderr)).toBe('Error: etcdserver: user name is empty\n');
    expect(exitCode).toBe(1);
  });

  it('fails with 2 for a wrong password', async () => {
    const { stdout, stderr, exitCode } = await put(['--user=root:wrong']);
    expect(stdout.toString()).toBe('');
    expect(spoken(stderr)).toBe(
      'Error: etcdserver: authentication failed, invalid user ID or password\n',
    );
    expect(exitCode).toBe(2);
  });

  it('is not attempted with an empty password', async () => {
    const { stderr, exitCode } = await put(['--user=root:']);
    expect(spoken(stderr)).toBe('Error: etcdserver: user name is empty\n');
    expect(exitCode).toBe(1);
  });
});

describe.skipIf(!hasRealEtcd)('TLS', () => {
  let server: RealEtcd;
  let url: string;
  let certificate: string;

  beforeAll(async () => {
    const ports = { client: await freePort(), peer: await freePort() };
    const plain = `http://127.0.0.1:${ports.client}`;
    url = `https://127.0.0.1:${await freePort()}`;
    // The plain listener is for the support code; the certificate is made by the server.
    const flags = [`--listen-client-urls=${plain},${url}`, '--auto-tls'];
    server = await startRealEtcd({ ports, flags });
    certificate = join(server.dataDir, 'fixtures', 'client', 'cert.pem');
    expect(existsSync(certificate)).toBe(true);
  });

  afterAll(async () => {
    await server.stop();
  });

  const get = (...flags: string[]) =>
    runBinary('etcdctl', ['--command-timeout=700ms', ...flags, 'get', 'k', '-w', 'json']);

  it('trusts the authority that it is given', async () => {
    const { stdout, stderr } = await get(`--endpoints=${url}`, `--cacert=${certificate}`);
    expect(stderr).toBe('');
    expect(stdout.toString()).toContain('"cluster_id"');
  });

  it('may skip the verification, which turns TLS on for an address without scheme', async () => {
    const address = url.replace('https://', '');
    const { stdout } = await get(`--endpoints=${address}`, '--insecure-skip-tls-verify');
    expect(stdout.toString()).toContain('"cluster_id"');
  });

  it('explains a certificate that nobody vouches for', async () => {
    const { stderr, exitCode } = await get(`--endpoints=${url}`);
    expect(spoken(stderr)).toMatch(
      /^Error: context deadline exceeded\nhttps:\/\/\S+: .*--cacert\)\n$/,
    );
    expect(exitCode).toBe(1);
  });

  it('explains a server that expects TLS', async () => {
    const { stderr } = await get(`--endpoints=${url.replace('https', 'http')}`);
    expect(spoken(stderr)).toMatch(/^Error: context deadline exceeded\nhttp:\/\/\S+: .*TLS.*\n$/);
  });
});
