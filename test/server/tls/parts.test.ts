import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect, getCiphers } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { derElements, derTime } from '../../../src/base/der.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { systemRoots } from '../../../src/platform/system-roots.js';
import { addressCheck, type Resolver } from '../../../src/server/tls/address-check.js';
import { opensslCiphers } from '../../../src/server/tls/cipher-suites.js';
import { ExpiryWatch } from '../../../src/server/tls/expiry-watch.js';
import { revokedSerials } from '../../../src/server/tls/revocation-list.js';
import { type LeafFiles, TestAuthority } from '../../support/certificates.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';
import { logKeeper, pairFlags, startTls, visitByOurs } from './world.js';

let directory: TempDir;
let authority: TestAuthority;
let server: LeafFiles;

beforeAll(async () => {
  directory = await makeTempDir();
  authority = new TestAuthority(directory.path);
  server = authority.issue('server');
});
afterAll(() => directory.remove());

const readFile = async (path: string): Promise<Buffer> => readFileSync(path);

describe('cipher suites', () => {
  it('are named as OpenSSL names them', () => {
    expect(opensslCiphers([])).toBeUndefined();
    const ciphers = opensslCiphers([
      'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      'TLS_RSA_WITH_RC4_128_SHA',
      'TLS_AES_128_GCM_SHA256',
    ]);
    expect(ciphers).toBe(
      'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
    );
    for (const name of ciphers?.split(':') ?? [])
      expect(getCiphers()).toContain(name.toLowerCase());
  });

  it.each(['tls_aes_128_gcm_sha256', 'ECDHE-RSA-AES128-GCM-SHA256', '', 'toString'])(
    '%j is none',
    (name) => {
      expect(() => opensslCiphers([name])).toThrow(`unexpected TLS cipher suite "${name}"`);
    },
  );
});

describe('a revocation list', () => {
  it('names serial numbers', () => {
    const serials = [Buffer.from([0x0a, 0x01]), Buffer.from([0xff])];
    const path = authority.revoke('list', serials);
    expect(revokedSerials(readFileSync(path))).toEqual(new Set(['a01', 'ff']));
    expect(revokedSerials(readFileSync(authority.revoke('empty', [])))).toEqual(new Set());
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['PEM', Buffer.from('-----BEGIN X509 CRL-----\n')],
    ['a cut list', Buffer.from('30820100', 'hex')],
    ['an endless length', Buffer.from('3080', 'hex')],
    ['something else', Buffer.from('3003020101', 'hex')],
  ])('is not %s', (_name, bytes) => {
    expect(() => revokedSerials(bytes)).toThrow(/^x509: malformed crl: /);
  });
});

describe('the address of a peer', () => {
  const silent: Resolver = { reverse: async () => [], lookup: async () => [] };
  const leaf = (...names: string[]): X509Certificate =>
    new X509Certificate(authority.issue('leaf', { names }).certificate);

  it.each<[string[], string, Partial<Resolver>, string | undefined]>([
    [[], '192.0.2.9', {}, undefined],
    [['192.0.2.1'], '192.0.2.1', {}, undefined],
    [['2001:db8::1'], '2001:db8::1', {}, undefined],
    [['::ffff:192.0.2.1'], '::ffff:192.0.2.1', {}, undefined],
    [['192.0.2.1'], '192.0.2.2', {}, 'x509: certificate is valid for 192.0.2.1, not 192.0.2.2'],
    [['a.test'], '192.0.2.1', {}, 'tls: "192.0.2.1" does not match any of DNSNames ["a.test"]'],
    [['a.test'], '192.0.2.1', { lookup: async () => ['192.0.2.1'] }, undefined],
    [['a.test'], '192.0.2.1', { reverse: async () => ['a.test.'] }, undefined],
    [['*.test'], '192.0.2.1', { reverse: async () => ['b.test'] }, undefined],
    [
      ['*.test'],
      '192.0.2.1',
      { reverse: async () => ['test'], lookup: async () => ['192.0.2.1'] },
      '*',
    ],
    [['a.test', '192.0.2.7'], '192.0.2.1', { lookup: async () => ['192.0.2.1'] }, undefined],
    [
      ['a.test'],
      '192.0.2.1',
      { lookup: () => Promise.reject(new Error('no DNS')) },
      'does not match',
    ],
  ])('%j from %s', async (names, address, resolver, error) => {
    const checked = addressCheck({ ...silent, ...resolver })(leaf(...names), address);
    if (error === undefined) await checked;
    else await expect(checked).rejects.toThrow(error);
  });
});

it('times take the long form from 2050 on', () => {
  expect(derTime(Date.UTC(2049, 11, 31)).toString('latin1', 2)).toBe('491231000000Z');
  expect(derTime(Date.UTC(2050, 0, 1)).toString('latin1', 2)).toBe('20500101000000Z');
});

it('lengths that lie are found out', () => {
  expect(() => [...derElements(Buffer.from('0405ff', 'hex'))]).toThrow('malformed DER');
});

it('SSL_CERT_FILE names the authorities of the system', async () => {
  expect(await systemRoots({ SSL_CERT_FILE: authority.caFile })).toBe(
    readFileSync(authority.caFile, 'utf8'),
  );
  const fallback = await systemRoots({ SSL_CERT_FILE: join(directory.path, 'absent') });
  expect(fallback).toContain('-----BEGIN CERTIFICATE-----');
});

it('a certificate is looked at every day, and its file may be gone', async () => {
  const clock = new ManualClock(Date.now());
  const { logger, lines } = logKeeper();
  const day = 24 * 3600 * 1000;
  const leaf = authority.issue('watched', { endsInMillis: 31.5 * day });
  const values = new Map<string, number>();
  const watch = new ExpiryWatch({
    files: [
      { path: leaf.certFile, readFile },
      { path: '/absent', readFile },
    ],
    clock,
    logger,
    notAfter: {
      with: (path) => ({
        set: (value) => void values.set(path, value),
        inc() {},
        dec() {},
      }),
    },
  });
  const warned = (): unknown[] =>
    lines
      .filter(({ fields }) => fields.path === leaf.certFile)
      .map(({ fields }) => fields['days-left']);
  watch.start();
  await nextTurn();
  for (let passed = 0; passed < 33; passed++) {
    clock.advance(day);
    await nextTurn();
  }
  await watch.stop();
  clock.advance(day);
  await nextTurn();
  expect(warned()).toEqual(Array.from({ length: 32 }, (_, index) => 29 - index));
  expect(
    lines.some(({ level, message }) => level === 'error' && message === 'certificate has expired'),
  ).toBe(true);
  expect(lines.find(({ fields }) => fields.path === '/absent')?.fields.error).toBe(
    'open /absent: no such file or directory',
  );
  const notAfter = new Date(new X509Certificate(leaf.certificate).validTo).getTime() / 1000;
  expect(values.get(leaf.certFile)).toBe(notAfter);
});

describe('a server with TLS', () => {
  it('serves metrics over https, to those whose certificate fits their address', async () => {
    const foreign = authority.issue('foreign', { names: ['192.0.2.1'] });
    const etcd = await startTls([
      ...pairFlags(server),
      `--trusted-ca-file=${authority.caFile}`,
      '--listen-metrics-urls=https://127.0.0.1:0',
    ]);
    const line = etcd.lines.find(({ message }) => message === 'listening for metrics traffic');
    const port = Number(String(line?.fields.address).split(':')[1]);
    const get = (leaf: LeafFiles): Promise<string> =>
      new Promise((resolve, reject) => {
        const ca = readFileSync(authority.caFile);
        const socket = connect({
          host: '127.0.0.1',
          port,
          ca,
          cert: leaf.certificate,
          key: leaf.key,
        });
        let answer = '';
        socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        socket.on('data', (chunk: Buffer) => {
          answer += chunk.toString();
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(answer));
      });
    try {
      expect(await get(server)).toContain('etcd_server_has_leader 1');
      expect(await get(foreign)).toBe('');
      expect(etcd.rejections('client')).toEqual([
        'x509: certificate is valid for 192.0.2.1, not 127.0.0.1',
      ]);
    } finally {
      await etcd.stop();
    }
  });

  it('listens on unix sockets', async () => {
    const path = join(directory.path, 'socket');
    const etcd = await startTls([
      ...pairFlags(server),
      `--listen-client-urls=unixs://${path}`,
      `--advertise-client-urls=unixs://${path}`,
    ]);
    try {
      const { ok, stderr } = await visitByOurs(`unixs://${path}`, { trusts: authority }, true);
      expect(ok, stderr).toBe(true);
    } finally {
      await etcd.stop();
    }
  });

  it.each([
    ['resumes sessions', false],
    ['resumes none of a client that has to show a certificate', true],
  ])('%s', async (_name, isMutual) => {
    const etcd = await startTls([
      ...pairFlags(server),
      ...(isMutual ? [`--trusted-ca-file=${authority.caFile}`] : []),
    ]);
    const [host = '', port] = etcd.endpoint.split(':');
    let session: Buffer | undefined;
    const visit = (): Promise<boolean> =>
      new Promise((resolve, reject) => {
        let isReused = false;
        const socket = connect({
          host,
          port: Number(port),
          ca: readFileSync(authority.caFile),
          cert: server.certificate,
          key: server.key,
          ...(session === undefined ? {} : { session }),
        });
        socket.once('secureConnect', () => {
          isReused = socket.isSessionReused();
        });
        socket.on('session', (ticket) => {
          session = ticket;
        });
        socket.on('error', reject);
        socket.write('GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        socket.resume();
        socket.on('close', () => resolve(isReused));
      });
    try {
      expect(await visit()).toBe(false);
      expect(await visit()).toBe(!isMutual);
    } finally {
      await etcd.stop();
    }
  });

  it('stops at once though somebody does not shake hands', async () => {
    const etcd = await startTls(pairFlags(server));
    const [host = '', port] = etcd.endpoint.split(':');
    const silent = connectTcp(Number(port), host);
    await new Promise((resolve) => silent.once('connect', resolve));
    const closed = new Promise((resolve) => silent.once('close', resolve));
    silent.resume();
    const began = performance.now();
    await etcd.stop();
    await closed;
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
