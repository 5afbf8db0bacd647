import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuthCalls } from '../../support/auth-calls.js';
import { type LeafOptions, TestAuthority } from '../../support/certificates.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';
import { pairFlags, startTls, type TlsServer } from '../tls/world.js';
import {
  methodsWithoutRow,
  NAMED_ROWS,
  outcomeOf,
  type Row,
  refusalOf,
  SECRET,
  setUp,
  tokenOf,
} from './every-rpc-table.js';

/** Whom the clients' certificates name; the stranger is a user whom the server does not know. */
type Name = 'stranger' | 'limited' | 'root' | 'unnamed';

/**
 * What a client gets whose certificate has no common name: rights to keys are those of a user
 * whom nobody knows, and all that asks who the user is finds nobody.
 */
function unnamedCell([{ path }, , nobody, , , , stranger]: Row): string {
  const asksFirst = path.startsWith('/etcdserverpb.Lease/');
  return stranger === 'PermissionDenied' && !asksFirst ? stranger : nobody;
}

describe('with authentication on, every RPC with a certificate', () => {
  let directory: TempDir;
  let etcd: TlsServer;
  let callsOf: Record<Name, AuthCalls>;

  beforeAll(async () => {
    directory = await makeTempDir();
    const secretFile = join(directory.path, 'secret');
    writeFileSync(secretFile, SECRET);
    const authority = new TestAuthority(directory.path);
    etcd = await startTls([
      ...pairFlags(authority.issue('server')),
      `--trusted-ca-file=${authority.caFile}`,
      '--client-cert-auth',
      `--auth-token=jwt,sign-method=HS256,priv-key=${secretFile}`,
      '--bcrypt-cost=4',
    ]);
    const connect = (file: string, leaf: LeafOptions = { commonName: file }): AuthCalls => {
      const { key, certificate } = authority.issue(file, leaf);
      const trusted = readFileSync(authority.caFile);
      const security = credentials.createSsl(trusted, Buffer.from(key), Buffer.from(certificate));
      // Node takes no address for the name of a server.
      return new AuthCalls(etcd.endpoint, security, {
        'grpc.ssl_target_name_override': 'localhost',
      });
    };
    callsOf = {
      stranger: connect('stranger'),
      limited: connect('limited'),
      root: connect('root'),
      unnamed: connect('unnamed', {}),
    };
    await setUp(callsOf.root);
  });
  afterAll(async () => {
    for (const calls of Object.values(callsOf)) calls.close();
    await etcd.stop();
    await directory.remove();
  });

  it('has a row', () => expect(methodsWithoutRow()).toEqual([]));

  it.each(NAMED_ROWS)('%i %s', async (_index, _path, row) => {
    const [, , , limited, root, old, stranger] = row;
    const outcome = (name: Name, token?: string) => outcomeOf(callsOf[name], row, token);
    const token = (username: string, options?: Parameters<typeof tokenOf>[2]) =>
      tokenOf(callsOf.stranger, username, options);
    expect(await outcome('stranger'), 'wrong name').toBe(stranger);
    expect(await outcome('unnamed'), 'no name').toBe(unnamedCell(row));
    expect(await outcome('limited'), 'limited').toBe(limited);
    // A token beats a certificate, whichever allows more, and even if it is worth nothing.
    expect(await outcome('root', await token('limited')), 'root as limited').toBe(limited);
    expect(await outcome('root', await token('stranger')), 'root as wrong name').toBe(stranger);
    const expired = await token('root', { lifeSeconds: -1 });
    expect(await outcome('root', expired), 'root, expired token').toBe(refusalOf(row));
    expect(await outcome('root', 'nonsense'), 'root, nonsense').toBe(refusalOf(row));
    if (root === '') return;
    expect(await outcome('root'), 'root').toBe(root);
    expect(await outcome('stranger', await token('root')), 'wrong name as root').toBe(root);
    const stale = await token('root', { age: 1 });
    expect(await outcome('root', stale), 'root, old token').toBe(old);
  });
});
