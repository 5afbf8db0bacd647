import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pairFlags, startTls, type TlsServer } from '../../server/tls/world.js';
import { type LeafFiles, TestAuthority } from '../../support/certificates.js';
import { type RunResult, runBinary } from '../../support/run-binary.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';

let directory: TempDir;
let authority: TestAuthority;
let stranger: TestAuthority;
let server: LeafFiles;
let etcd: TlsServer;

beforeAll(async () => {
  directory = await makeTempDir();
  authority = new TestAuthority(directory.path);
  stranger = new TestAuthority(directory.path, 'stranger');
  server = authority.issue('server', { names: ['localhost', '127.0.0.1', '::1'] });
  etcd = await startTls(pairFlags(server));
});
afterAll(async () => {
  await etcd.stop();
  await directory.remove();
});

const inspect = (...argv: string[]): Promise<RunResult> =>
  runBinary('etcdkit', ['cert', 'inspect', ...argv]);

const FACTS = {
  subject: 'O=server',
  issuer: 'CN=ca',
  alternativeNames: ['DNS:localhost', 'IP Address:127.0.0.1', 'IP Address:0:0:0:0:0:0:0:1'],
  daysLeft: 0,
  key: 'EC P-256',
  isAuthority: false,
};

describe('cert inspect', () => {
  it('shows the certificates of a file', async () => {
    const { stdout, exitCode } = await inspect(server.certFile);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toMatch(/^Subject: {5}O=server\nIssuer: {6}CN=ca\n/);
    expect(stdout.toString()).toContain(`Serial:      ${server.serial.toString('hex')}\n`);
  });

  it('shows what a server shows, trusted or not', async () => {
    const trusted = await inspect(
      `https://${etcd.endpoint}`,
      '-w',
      'json',
      '--cacert',
      authority.caFile,
    );
    expect(trusted.stderr).toBe('');
    expect(JSON.parse(trusted.stdout.toString())[0]).toMatchObject(FACTS);
    const unknown = await inspect(etcd.endpoint, '-w', 'json', '--cacert', stranger.caFile);
    expect(JSON.parse(unknown.stdout.toString())[0]).toMatchObject(FACTS);
    expect(unknown.stderr).toBe(
      `${etcd.endpoint}: the server's certificate is signed by an unknown authority (give the CA that signed it with --cacert)\n`,
    );
  });

  it('draws a table and knows no other formats', async () => {
    const { stdout } = await inspect(server.certFile, '-w', 'table');
    expect(stdout.toString()).toMatch(/│ +SUBJECT +│ +ISSUER +│/);
    expect(await inspect(server.certFile, '-w', 'fields')).toMatchObject({
      exitCode: 4,
      stderr: 'Error: fields not supported as output format\n',
    });
  });

  it.each([
    [[], 128, 'Error: cert inspect command needs a file or an endpoint as its argument\n'],
    [['/absent.pem'], 1, 'Error: open /absent.pem: no such file or directory\n'],
    [
      ['127.0.0.1:1'],
      1,
      'Error: 127.0.0.1:1: connection refused (is the server running and listening there?)\n',
    ],
    [['http://127.0.0.1:1'], 1, 'Error: http://127.0.0.1:1: not the address of a TLS server\n'],
  ])('%j fails in one line', async (argv, exitCode, stderr) => {
    expect(await inspect(...argv)).toMatchObject({ exitCode, stderr });
  });

  it('finds no certificate in a key', async () => {
    const { stderr } = await inspect(server.keyFile);
    expect(stderr).toBe(`Error: ${server.keyFile}: there is no certificate in it\n`);
  });
});

it.each([
  [
    () => ['--cert', server.certFile],
    () => `KeyFile and CertFile must both be present[key: , cert: ${server.certFile}]`,
  ],
  [
    () => ['--cert', server.certFile, '--key', authority.caFile],
    () => 'tls: found a certificate rather than a key in the PEM for the private key',
  ],
  [
    () => ['--cert', server.certFile, '--key', authority.issue('other').keyFile],
    () => 'tls: private key does not match public key',
  ],
  [() => ['--cacert', '/absent.pem'], () => 'open /absent.pem: no such file or directory'],
])('etcdctl refuses TLS material that cannot be used (%#)', async (argv, text) => {
  const endpoint = `--endpoints=https://${etcd.endpoint}`;
  const { exitCode, stderr } = await runBinary('etcdctl', [endpoint, 'get', 'a', ...argv()]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 128, stderr: `Error: ${text()}\n` });
});
