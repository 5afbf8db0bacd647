import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { expect, it, onTestFinished } from 'vitest';
import { SERVICES } from '../../../src/proto/services.js';
import { AuthCalls } from '../../support/auth-calls.js';
import { type LeafOptions, TestAuthority } from '../../support/certificates.js';
import { tempDir } from '../../support/temp-dir.js';
import { pairFlags, startTls } from '../tls/world.js';

const { kv, lease } = SERVICES;

// The keep-alive has two lines: the renewal, and the end of the stream.
it('names the certificate of whoever comes over mutual TLS', async () => {
  const directory = await tempDir();
  const path = join(directory, 'audit.log');
  const authority = new TestAuthority(directory);
  const etcd = await startTls(
    [
      ...pairFlags(authority.issue('server')),
      `--trusted-ca-file=${authority.caFile}`,
      '--client-cert-auth',
      `--audit-log=${path}`,
    ],
    { directory: join(directory, 'data') },
  );
  onTestFinished(() => etcd.stop());
  const connect = (file: string, leaf: LeafOptions): AuthCalls => {
    const { key, certificate } = authority.issue(file, leaf);
    const trusted = readFileSync(authority.caFile);
    const security = credentials.createSsl(trusted, Buffer.from(key), Buffer.from(certificate));
    const options = { 'grpc.ssl_target_name_override': 'localhost' };
    const calls = new AuthCalls(etcd.endpoint, security, options);
    onTestFinished(() => calls.close());
    return calls;
  };
  const alice = connect('alice', { commonName: 'alice "the \\ first"' });
  const unnamed = connect('unnamed', {});
  await alice.call(kv.put, { key: Buffer.from('a') });
  await unnamed.call(kv.range, { key: Buffer.from('a') });
  await alice.call(lease.leaseGrant, { TTL: 60 });
  await alice.call(lease.leaseKeepAlive, { ID: 1n });
  await etcd.stop();
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const told = ({ method, cn, user }: Record<string, unknown>): unknown[] => [method, cn, user];
  expect(lines.map(told)).toEqual([
    ['KV/Put', 'alice "the \\ first"', ''],
    ['KV/Range', '', ''],
    ['Lease/LeaseGrant', 'alice "the \\ first"', ''],
    ['Lease/LeaseKeepAlive', 'alice "the \\ first"', ''],
    ['Lease/LeaseKeepAlive', 'alice "the \\ first"', ''],
  ]);
});
