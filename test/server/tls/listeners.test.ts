import { writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../../src/client/client.js';
import { GrpcCode } from '../../../src/proto/errors.js';
import { type LeafFiles, TestAuthority } from '../../support/certificates.js';
import { runBinary } from '../../support/run-binary.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';
import { shakeHands } from './handshake.js';
import {
  hasCurl,
  hasOpenssl,
  pairFlags,
  replacePair,
  startTls,
  visitByCurl,
  visitByOpenssl,
  visitByOurs,
} from './world.js';

let directory: TempDir;
let authority: TestAuthority;
let server: LeafFiles;

beforeAll(async () => {
  directory = await makeTempDir();
  authority = new TestAuthority(directory.path);
  server = authority.issue('server');
});
afterAll(() => directory.remove());

const key = Buffer.from('key');

async function client(endpoint: string, shows?: LeafFiles): Promise<Client> {
  return new Client({
    endpoints: [`https://${endpoint}`],
    tls: {
      ca: await readFile(authority.caFile),
      ...(shows === undefined ? {} : { cert: shows.certificate, key: shows.key }),
    },
  });
}

describe('what is served on one TLS port', () => {
  it('is chosen by what the client offers', async () => {
    const etcd = await startTls(pairFlags(server));
    const protocolOf = async (...offers: string[]) =>
      (await shakeHands(etcd.endpoint, { trusts: authority }, offers)).protocol;
    try {
      expect(await protocolOf('h2', 'http/1.1')).toBe('h2');
      expect(await protocolOf('http/1.1')).toBe('http/1.1');
      expect(await protocolOf()).toBe(false);
      const refused = await shakeHands(etcd.endpoint, { trusts: authority }, ['h3']);
      expect(refused.isSecure).toBe(false);
    } finally {
      await etcd.stop();
    }
  });

  it.skipIf(!hasCurl)('is HTTP/1.1, HTTP/2 and gRPC at once', async () => {
    const etcd = await startTls(pairFlags(server));
    const own = await client(etcd.endpoint);
    const get = async (path: string, version: string): Promise<string> =>
      (
        await visitByCurl(etcd.endpoint, { trusts: authority }, path, [
          version,
          '--write-out',
          '%{http_version} %{http_code}',
        ])
      ).stdout;
    try {
      await own.kv.put({ key });
      expect(await get('/health', '--http2')).toBe('{"health":"true","reason":""}2 200');
      expect(await get('/health', '--http1.1')).toBe('{"health":"true","reason":""}1.1 200');
      expect(await get('/version', '--http2')).toContain('"etcdserver"');
      expect(await get('/nothing', '--http2')).toBe('404 page not found\n2 404');
      const metrics = await get('/metrics', '--http2');
      expect(metrics).toMatch(
        /^etcdkit_certificate_not_after_timestamp_seconds\{path=".*"\} 1\.\d+e\+09$/m,
      );
    } finally {
      own.close();
      await etcd.stop();
    }
  });

  it('can be plaintext too', async () => {
    const etcd = await startTls([
      ...pairFlags(server),
      '--listen-client-urls=http://127.0.0.1:0,https://127.0.0.1:0',
      '--advertise-client-urls=http://127.0.0.1:0,https://127.0.0.1:0',
    ]);
    const secure = await client(etcd.endpoint);
    const plain = new Client({ endpoints: [`http://${etcd.endpoint}`] });
    try {
      await secure.kv.put({ key, value: key });
      expect((await plain.kv.range({ key })).kvs).toHaveLength(1);
      expect((await fetch(`${etcd.url}/health`)).status).toBe(200);
      const warning =
        'scheme is http or unix while key and cert files are present; ignoring key and cert files';
      expect(etcd.lines.some(({ message }) => message === warning)).toBe(true);
    } finally {
      secure.close();
      plain.close();
      await etcd.stop();
    }
  });

  it('is gRPC alone where HTTP has a port of its own', async () => {
    const etcd = await startTls([
      ...pairFlags(server),
      '--listen-client-http-urls=https://localhost:0',
    ]);
    const [, http] = etcd.lines.filter(({ message }) => message === 'listening for client traffic');
    const httpEndpoint = String(http?.fields.address);
    const own = await client(etcd.endpoint);
    const protocolOf = async (endpoint: string) =>
      (await shakeHands(endpoint, { trusts: authority }, ['h2', 'http/1.1'])).protocol;
    try {
      await own.kv.put({ key });
      expect(await protocolOf(etcd.endpoint)).toBe('h2');
      expect(await protocolOf(httpEndpoint)).toBe('http/1.1');
      const refused = await shakeHands(etcd.endpoint, { trusts: authority }, ['http/1.1']);
      expect(refused.isSecure).toBe(false);
      if (hasCurl) {
        const visit = await visitByCurl(httpEndpoint, { trusts: authority });
        expect(visit.stdout).toBe('{"health":"true","reason":""}');
      }
    } finally {
      own.close();
      await etcd.stop();
    }
  });

  it('is not plaintext alone', async () => {
    const etcd = await startTls(pairFlags(server));
    try {
      await expect(fetch(`${etcd.url}/health`)).rejects.toThrow();
      expect(etcd.rejections('client')[0]).toBe(
        'tls: first record does not look like a TLS handshake',
      );
      const { stderr } = await runBinary('etcdctl', [
        `--endpoints=http://${etcd.endpoint}`,
        '--command-timeout=1s',
        'get',
        'key',
      ]);
      expect(stderr).toContain('the server expects TLS (use an https:// endpoint');
    } finally {
      await etcd.stop();
    }
  });

  it.skipIf(!hasOpenssl)('speaks the versions and suites that are allowed', async () => {
    const suite = 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384';
    const etcd = await startTls([...pairFlags(server), `--cipher-suites=${suite}`]);
    const ask = async (version: '1.2' | '1.3', ...more: string[]): Promise<string> =>
      (await visitByOpenssl(etcd.endpoint, { trusts: authority, version }, more)).stdout;
    try {
      expect(await ask('1.2')).toContain('Cipher is ECDHE-ECDSA-AES256-GCM-SHA384');
      expect(await ask('1.3')).toContain('TLSv1.3, Cipher is TLS_');
      await ask('1.2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256');
      expect(etcd.rejections('client')).toEqual([
        'tls: no cipher suite supported by both client and server',
      ]);
    } finally {
      await etcd.stop();
    }
  });
});

describe('certificates', () => {
  it('are read anew under traffic, and no call fails for it', async () => {
    const place = authority.issue('replaced');
    const etcd = await startTls(pairFlags(place));
    const lasting = await client(etcd.endpoint);
    const serialNow = async () => (await shakeHands(etcd.endpoint, { trusts: authority })).serial;
    let isOver = false;
    const newcomers = (async () => {
      let calls = 0;
      while (!isOver) {
        const own = await client(etcd.endpoint);
        await own.kv.put({ key }, { deadlineMillis: own.deadlineIn(10_000) });
        own.close();
        calls++;
      }
      return calls;
    })();
    try {
      for (let round = 0; round < 5; round++) {
        const next = authority.issue(`next-${round}`);
        replacePair(place, next);
        expect(await serialNow()).toBe(next.serial.toString('hex'));
        await lasting.kv.put({ key });
      }
      isOver = true;
      expect(await newcomers).toBeGreaterThan(0);
    } finally {
      isOver = true;
      await newcomers.catch(() => {});
      lasting.close();
      await etcd.stop();
    }
  });

  it('that do not fit stop new connections until they do', async () => {
    const place = authority.issue('broken');
    const etcd = await startTls(pairFlags(place));
    try {
      writeFileSync(place.keyFile, server.key);
      expect((await shakeHands(etcd.endpoint, { trusts: authority })).isSecure).toBe(false);
      expect(etcd.lines).toContainEqual({
        level: 'warn',
        message: 'failed to create peer certificate',
        fields: {
          'cert-file': place.certFile,
          'key-file': place.keyFile,
          error: 'tls: private key does not match public key',
        },
      });
      writeFileSync(place.keyFile, place.key);
      expect((await shakeHands(etcd.endpoint, { trusts: authority })).isSecure).toBe(true);
    } finally {
      await etcd.stop();
    }
  });

  it('are revoked without a restart', async () => {
    const alice = authority.issue('alice', { commonName: 'alice' });
    const crl = authority.revoke('live.crl', []);
    const etcd = await startTls([
      ...pairFlags(server),
      `--trusted-ca-file=${authority.caFile}`,
      `--client-crl-file=${crl}`,
    ]);
    const put = async (): Promise<unknown> => {
      const own = await client(etcd.endpoint, alice);
      return own.kv
        .put({ key }, { deadlineMillis: own.deadlineIn(500) })
        .then(
          () => 'ok',
          () => 'refused',
        )
        .finally(() => own.close());
    };
    try {
      expect(await put()).toBe('ok');
      authority.revoke('live.crl', [alice.serial]);
      expect(await put()).toBe('refused');
      expect(etcd.rejections('client')[0]).toBe(
        `transport: certificate serial ${alice.serial.toString('hex')} revoked`,
      );
      writeFileSync(crl, 'garbage');
      expect(await put()).toBe('refused');
    } finally {
      await etcd.stop();
    }
  });

  it('are made by --auto-tls once and kept', async () => {
    const storage = await makeTempDir();
    const start = () => startTls(['--auto-tls'], { directory: storage.path });
    try {
      const first = await start();
      const caFile = `${storage.path}/fixtures/client/cert.pem`;
      const visit = await visitByOurs(first.endpoint, { trusts: { caFile } }, true).finally(() =>
        first.stop(),
      );
      expect(visit).toMatchObject({ ok: true, stdout: 'OK\n' });
      const made = await readFile(caFile, 'latin1');
      const keyFile = `${storage.path}/fixtures/client/key.pem`;
      expect(await readFile(keyFile, 'latin1')).toMatch(/^-----BEGIN EC PRIVATE KEY-----/);
      expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
      expect((await stat(`${storage.path}/fixtures/client`)).mode & 0o777).toBe(0o700);
      const { stdout } = await runBinary('etcdkit', ['cert', 'inspect', caFile, '-w', 'json']);
      expect(JSON.parse(stdout.toString())).toMatchObject([
        {
          subject: 'O=etcd',
          issuer: 'O=etcd',
          key: 'EC P-521',
          isAuthority: true,
          alternativeNames: ['IP Address:127.0.0.1'],
          daysLeft: 364,
        },
      ]);
      const second = await start();
      await second.stop();
      expect(await readFile(caFile, 'latin1')).toBe(made);
    } finally {
      await storage.remove();
    }
  });

  it('name the user of a call', async () => {
    const etcd = await startTls([
      ...pairFlags(server),
      `--trusted-ca-file=${authority.caFile}`,
      '--client-cert-auth',
    ]);
    const root = await client(etcd.endpoint, authority.issue('root', { commonName: 'root' }));
    const nobody = await client(etcd.endpoint, authority.issue('bob', { commonName: 'bob' }));
    try {
      await root.auth.userAdd({ name: 'root', options: { noPassword: true } });
      await root.auth.roleAdd('root');
      await root.auth.userGrantRole('root', 'root');
      await root.auth.enable();
      await root.kv.put({ key });
      await expect(nobody.kv.put({ key })).rejects.toMatchObject({
        code: GrpcCode.PermissionDenied,
      });
    } finally {
      root.close();
      nobody.close();
      await etcd.stop();
    }
  });

  it('that end soon are told of at the start', async () => {
    const day = 24 * 3600 * 1000;
    const soon = authority.issue('soon', { endsInMillis: 10.5 * day });
    const later = authority.issue('later', { endsInMillis: 40 * day });
    const warnings = async (leaf: LeafFiles) => {
      const etcd = await startTls(pairFlags(leaf));
      await etcd.stop();
      return etcd.lines.filter(({ message }) => message === 'certificate expires soon');
    };
    expect(await warnings(soon)).toMatchObject([
      { level: 'warn', fields: { path: soon.certFile, subject: 'O=soon', 'days-left': 10 } },
    ]);
    expect(await warnings(later)).toEqual([]);
  });
});

describe('a server does not start', () => {
  it.each([
    [
      () => ['--listen-client-urls=https://127.0.0.1:0'],
      'TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:0 with HTTPS scheme',
    ],
    [
      () => [...pairFlags(server), '--listen-peer-urls=https://127.0.0.1:0'],
      'cannot listen on TLS for 127.0.0.1:0: KeyFile and CertFile are not presented',
    ],
    [
      () => [
        '--listen-client-urls=http://127.0.0.1:0',
        '--listen-metrics-urls=https://127.0.0.1:0',
      ],
      'client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url',
    ],
    [() => ['--cert-file=/c'], 'KeyFile and CertFile must both be present[key: , cert: /c]'],
    [
      () => ['--cert-file=/absent', '--key-file=/absent-key'],
      'open /absent: no such file or directory',
    ],
    [
      () => [...pairFlags(server), '--client-cert-file=/c'],
      'ClientKeyFile and ClientCertFile must both be present or both absent: key: , cert: /c]',
    ],
    [
      () => [`--cert-file=${server.certFile}`, `--key-file=${authority.issue('x').keyFile}`],
      'tls: private key does not match public key',
    ],
    [
      () => [`--cert-file=${server.keyFile}`, `--key-file=${server.keyFile}`],
      'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched',
    ],
    [
      () => [...pairFlags(server), '--trusted-ca-file=/absent'],
      'open /absent: no such file or directory',
    ],
    [() => ['--cipher-suites=NO_SUCH'], 'unexpected TLS cipher suite "NO_SUCH"'],
    [
      () => ['--auto-tls', '--self-signed-cert-validity=0'],
      'selfSignedCertValidity is invalid,it should be greater than 0',
    ],
    [
      () => [
        ...pairFlags(server),
        ...pairFlags(server, true),
        '--peer-cert-allowed-cn=a',
        '--peer-cert-allowed-hostname=b',
      ],
      'AllowedCNs and AllowedHostnames are mutually exclusive (cns=["a"], hostnames=["b"])',
    ],
  ])('%#', async (flags, text) => {
    await expect(startTls(flags())).rejects.toThrow(text);
  });
});
