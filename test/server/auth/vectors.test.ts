import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Permission_Type } from '../../../src/proto/gen/authpb/auth.js';
import {
  type Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../../src/proto/services.js';
import { type StartEtcdOptions, startEtcd, type TestEtcd } from '../../../src/testing.js';
import { AuthCalls } from '../../support/auth-calls.js';
import { tempDir } from '../../support/temp-dir.js';

const { kv, lease, cluster, maintenance, auth } = SERVICES;
const bytes = (text: string) => Buffer.from(text, 'latin1');
const { READ, WRITE, READWRITE } = Permission_Type;

const EMPTY = 'etcdserver: user name is empty';
const DENIED = 'etcdserver: permission denied';
const FAILED = 'etcdserver: authentication failed, invalid user ID or password';
const INVALID = 'etcdserver: invalid auth token';
const OLD = 'etcdserver: revision of auth store is old';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(
  flags: readonly string[] = [],
  storage: NonNullable<StartEtcdOptions['storage']> = 'memory',
): Promise<{ etcd: TestEtcd; calls: AuthCalls }> {
  const etcd = await startEtcd({ storage, flags: ['--bcrypt-cost=4', ...flags] });
  const calls = new AuthCalls(etcd.endpoint);
  cleanups.push(async () => {
    calls.close();
    await etcd.stop();
  });
  return { etcd, calls };
}

async function logIn(calls: AuthCalls, name: string, password = `${name} password`) {
  return (await calls.call(auth.authenticate, { name, password }))?.token ?? '';
}

/** Root and authentication; gives root's token. */
async function enable(calls: AuthCalls): Promise<string> {
  await calls.call(auth.userAdd, { name: 'root', password: 'root password' });
  await calls.call(auth.roleAdd, { name: 'root' });
  await calls.call(auth.userGrantRole, { user: 'root', role: 'root' });
  await calls.call(auth.authEnable);
  return logIn(calls, 'root');
}

type Grant = readonly [type: Permission_Type, key: string, rangeEnd?: string];

/** A user with a role of its own; gives its token. */
async function addUser(calls: AuthCalls, root: string, name: string, ...grants: Grant[]) {
  await calls.call(auth.userAdd, { name, password: `${name} password` }, root);
  await calls.call(auth.roleAdd, { name: `${name} role` }, root);
  for (const [permType, key, rangeEnd = ''] of grants) {
    const perm = { permType, key: bytes(key), rangeEnd: bytes(rangeEnd) };
    await calls.call(auth.roleGrantPermission, { name: `${name} role`, perm }, root);
  }
  await calls.call(auth.userGrantRole, { user: name, role: `${name} role` }, root);
  return logIn(calls, name);
}

const rangeOf = (key: string): RequestOp => ({
  request: { $case: 'requestRange', value: RangeRequest.create({ key: bytes(key) }) },
});
const putOf = (key: string, fields: Partial<PutRequest> = {}): RequestOp => ({
  request: { $case: 'requestPut', value: PutRequest.create({ key: bytes(key), ...fields }) },
});
const deleteOf = (key: string, fields: Partial<DeleteRangeRequest> = {}): RequestOp => ({
  request: {
    $case: 'requestDeleteRange',
    value: DeleteRangeRequest.create({ key: bytes(key), ...fields }),
  },
});
const txnOf = (...success: RequestOp[]): RequestOp => ({
  request: { $case: 'requestTxn', value: TxnRequest.create({ success }) },
});
const compareOf = (key: string): Compare => ({
  result: 1,
  target: 0,
  key: bytes(key),
  rangeEnd: bytes(''),
  targetUnion: { $case: 'version', value: 0 } as Compare['targetUnion'],
});

describe('authentication', () => {
  it('survives a restart; its simple tokens do not (A1)', async () => {
    const storage = { directory: await tempDir() };
    const first = await start([], storage);
    expect(await first.calls.call(auth.authStatus)).toMatchObject({
      enabled: false,
      authRevision: 1,
    });
    const token = await enable(first.calls);
    const state = { enabled: true, authRevision: 4 };
    expect(await first.calls.call(auth.authStatus)).toMatchObject(state);
    await first.calls.call(kv.put, { key: bytes('k') }, token);
    await first.etcd.stop();
    const { calls } = await start([], storage);
    expect(await calls.call(auth.authStatus)).toMatchObject(state);
    await expect(calls.call(kv.range, { key: bytes('k') }, token)).rejects.toThrow(INVALID);
    const again = await logIn(calls, 'root');
    expect(await calls.call(kv.range, { key: bytes('k') }, again)).toMatchObject({ count: 1 });
  });

  it('needs root (A2)', async () => {
    const { calls } = await start();
    await expect(calls.call(auth.authEnable)).rejects.toThrow('root user does not exist');
    await calls.call(auth.userAdd, { name: 'root', password: 'x' });
    await expect(calls.call(auth.authEnable)).rejects.toThrow('does not have root role');
    await expect(logIn(calls, 'root', 'x')).rejects.toThrow('authentication is not enabled');
    await calls.call(auth.authDisable);
  });

  it('lets nobody in without a name, or with a wrong one (A3)', async () => {
    const { calls } = await start();
    await enable(calls);
    const key = bytes('k');
    await expect(calls.call(kv.range, { key })).rejects.toThrow(EMPTY);
    await expect(calls.call(kv.put, { key })).rejects.toThrow(EMPTY);
    await expect(calls.call(auth.userAdd, { name: 'u' })).rejects.toThrow(EMPTY);
    await expect(calls.call(lease.leaseGrant, { TTL: 10 })).rejects.toThrow(EMPTY);
    await expect(calls.call(cluster.memberList)).rejects.toThrow(EMPTY);
    await expect(calls.call(lease.leaseTimeToLive, { ID: 1n })).rejects.toThrow(EMPTY);
    await expect(logIn(calls, 'nobody', 'root password')).rejects.toThrow(FAILED);
    await expect(logIn(calls, 'root', 'wrong')).rejects.toThrow(FAILED);
    await expect(logIn(calls, '', '')).rejects.toThrow(FAILED);
  });

  it('ends when root says so, and all tokens with it', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    await calls.call(auth.authDisable, {}, root);
    // While it is off, nobody looks at tokens.
    await calls.call(kv.put, { key: bytes('k') }, root);
    await calls.call(auth.authEnable);
    await expect(calls.call(kv.put, { key: bytes('k') }, root)).rejects.toThrow(INVALID);
  });

  it('grants a prefix and nothing beside it (A9)', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    const user = await addUser(calls, root, 'u', [READWRITE, '/prefix/', '/prefix0']);
    await calls.call(kv.put, { key: bytes('/prefix/0') }, user);
    await expect(calls.call(kv.put, { key: bytes('/prefix0') }, user)).rejects.toThrow(DENIED);
  });

  it('lets a lease be revoked by who may write its keys (A10)', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    const user = await addUser(calls, root, 'u', [WRITE, 'k2', 'k4'], [WRITE, 'foo']);
    for (const [ID, key] of [
      [1n, 'k1'],
      [2n, 'k2'],
      [3n, 'eoo'],
    ] as const) {
      await calls.call(lease.leaseGrant, { ID, TTL: 1000 }, root);
      await calls.call(kv.put, { key: bytes(key), lease: ID }, root);
    }
    await calls.call(lease.leaseRevoke, { ID: 2n }, user);
    await expect(calls.call(lease.leaseRevoke, { ID: 1n }, user)).rejects.toThrow(DENIED);
    const put = { key: bytes('foo'), lease: 3n };
    await expect(calls.call(kv.put, put, user)).rejects.toThrow(DENIED);
    const nested = { success: [txnOf(putOf('foo', { lease: 3n }))] };
    await expect(calls.call(kv.txn, nested, user)).rejects.toThrow(DENIED);
    await calls.call(kv.put, put, root);
  });

  it('looks into nested transactions and at what answers would show (A11)', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    const user = await addUser(calls, root, 'u', [READWRITE, 'a'], [WRITE, 'w']);
    await calls.call(kv.put, { key: bytes('secret') }, root);
    const deep = { success: [txnOf(txnOf(deleteOf('secret')))] };
    await expect(calls.call(kv.txn, deep, user)).rejects.toThrow(DENIED);
    const { count } = (await calls.call(kv.range, { key: bytes('secret') }, root)) ?? {};
    expect(count).toBe(1);
    await calls.call(kv.put, { key: bytes('w') }, user);
    const showing = { key: bytes('w'), prevKv: true };
    await expect(calls.call(kv.put, showing, user)).rejects.toThrow(DENIED);
    await expect(calls.call(kv.deleteRange, showing, user)).rejects.toThrow(DENIED);
    for (const operation of [putOf('w', { prevKv: true }), deleteOf('w', { prevKv: true })]) {
      const txn = { success: [operation] };
      await expect(calls.call(kv.txn, txn, user)).rejects.toThrow(DENIED);
    }
  });

  it('asks for the rights to all of a transaction, run or not (A12)', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    const grants: Grant[] = ['c2', 's2', 'f2'].map((key) => [READWRITE, key]);
    const user = await addUser(calls, root, 'u', ...grants);
    const txn = (c: string, s: string, f: string) =>
      calls.call(
        kv.txn,
        { compare: [compareOf(c)], success: [putOf(s)], failure: [rangeOf(f)] },
        user,
      );
    await txn('c2', 's2', 'f2');
    await expect(txn('c1', 's2', 'f2')).rejects.toThrow(DENIED);
    await expect(txn('c2', 's1', 'f2')).rejects.toThrow(DENIED);
    await expect(txn('c2', 's2', 'f1')).rejects.toThrow(DENIED);
    const reading = { success: [rangeOf('s2')], failure: [rangeOf('f1')] };
    await expect(calls.call(kv.txn, reading, user)).rejects.toThrow(DENIED);
  });

  it('hides keys on leases from who may not read them (A13)', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    const user = await addUser(calls, root, 'u', [READWRITE, 'foo']);
    await calls.call(lease.leaseGrant, { ID: 1n, TTL: 1000 }, root);
    await calls.call(lease.leaseGrant, { ID: 2n, TTL: 1000 }, user);
    for (const key of ['foo', 'bar']) {
      await calls.call(kv.put, { key: bytes(key), lease: 1n }, root);
    }
    const ask = (keys: boolean) => calls.call(lease.leaseTimeToLive, { ID: 1n, keys }, user);
    await expect(ask(true)).rejects.toThrow(DENIED);
    expect(await ask(false)).toMatchObject({ grantedTTL: 1000, keys: [] });
    await expect(calls.call(lease.leaseLeases, {}, user)).rejects.toThrow(DENIED);
    await calls.call(lease.leaseRevoke, { ID: 1n }, root);
    expect((await calls.call(lease.leaseLeases, {}, user))?.leases).toEqual([{ ID: 2n }]);
  });

  it('answers with the revision of the keys (A15)', async () => {
    const { calls } = await start();
    await calls.call(kv.put, { key: bytes('foo') });
    const { header } = (await calls.call(auth.userAdd, { name: 'u', password: 'x' })) ?? {};
    expect(header?.revision).toBe(2);
  });

  it('ends JSON web tokens with any change, simple tokens with their user alone (A16)', async () => {
    const secret = join(await tempDir(), 'secret');
    await writeFile(secret, 'secret');
    const key = bytes('k');
    const jwt = await start([`--auth-token=jwt,sign-method=HS256,priv-key=${secret}`]);
    const root = await enable(jwt.calls);
    await jwt.calls.call(kv.put, { key }, root);
    await jwt.calls.call(auth.roleAdd, { name: 'r' }, root);
    await expect(jwt.calls.call(kv.put, { key }, root)).rejects.toThrow(OLD);
    await expect(jwt.calls.call(kv.range, { key }, root)).rejects.toThrow(OLD);
    // Administration does not look at the revision.
    await jwt.calls.call(auth.roleAdd, { name: 's' }, root);

    const simple = await start();
    const admin = await enable(simple.calls);
    const user = await addUser(simple.calls, admin, 'u', [READ, 'k']);
    await simple.calls.call(auth.roleAdd, { name: 'r' }, admin);
    await simple.calls.call(kv.range, { key }, user);
    await simple.calls.call(auth.userChangePassword, { name: 'u', password: 'new' }, admin);
    await expect(simple.calls.call(kv.range, { key }, user)).rejects.toThrow(INVALID);
    const again = await logIn(simple.calls, 'u', 'new');
    await simple.calls.call(auth.userDelete, { name: 'u' }, admin);
    await expect(simple.calls.call(kv.range, { key }, again)).rejects.toThrow(INVALID);
  });

  it('lets a lease be renewed by who may write its keys (A17)', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    const user = await addUser(calls, root, 'u', [WRITE, 'k1', 'k3']);
    for (const [ID, keys] of [
      [1n, ['k1', 'k3']],
      [2n, ['k1', 'k2']],
    ] as const) {
      await calls.call(lease.leaseGrant, { ID, TTL: 1000 }, root);
      for (const key of keys) await calls.call(kv.put, { key: bytes(key), lease: ID }, root);
      const renewal = calls.call(lease.leaseKeepAlive, { ID }, user);
      if (ID === 1n) await expect(renewal).rejects.toThrow(DENIED);
      else expect(await renewal).toMatchObject({ TTL: 1000 });
    }
    await expect(calls.call(lease.leaseKeepAlive, { ID: 2n })).rejects.toThrow(EMPTY);
  });

  it('refuses to start with options that make no tokens (A18)', async () => {
    await expect(start(['--auth-token=jwt,ttl=forever'])).rejects.toThrow(
      'auth: invalid auth options',
    );
    await expect(start(['--auth-token=jwt,sign-method=RS256'])).rejects.toThrow(
      'auth: missing key data',
    );
  });

  it('keeps maintenance for root (A19)', async () => {
    const { calls } = await start();
    const user = await addUser(calls, await enable(calls), 'user0');
    await calls.call(maintenance.status, {}, user);
    await calls.call(maintenance.alarm, {}, user);
    await expect(calls.call(maintenance.hashKV, {}, user)).rejects.toThrow(DENIED);
    await expect(calls.call(maintenance.defragment, {}, user)).rejects.toThrow(DENIED);
    const alarm = { action: 2, alarm: 1 } as const;
    await expect(calls.call(maintenance.alarm, alarm, user)).rejects.toThrow(DENIED);
    await expect(calls.call(kv.compact, { revision: 1 }, user)).rejects.toThrow(DENIED);
  });
});

describe('a token', () => {
  it('is found under either name, with or without Bearer', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    const list = (token: string, name: string) => calls.call(auth.userList, {}, token, name);
    expect(root).toMatch(/^[a-zA-Z]{16}\.\d+$/);
    await list(root, 'token');
    await list(`Bearer ${root}`, 'token');
    await list(root, 'authorization');
    await list(`Bearer ${root}`, 'authorization');
    await expect(list(`bearer ${root}`, 'authorization')).rejects.toThrow(INVALID);
    await expect(list('', 'token')).rejects.toThrow(INVALID);
    await expect(list(root.replace(/\d+$/, '1'), 'token')).rejects.toThrow(INVALID);
  });

  it('is given to nobody where there are none', async () => {
    const { calls } = await start(['--auth-token=']);
    await calls.call(auth.userAdd, { name: 'root', password: 'x' });
    await calls.call(auth.userGrantRole, { user: 'root', role: 'root' });
    await calls.call(auth.authEnable);
    await expect(logIn(calls, 'root', 'x')).rejects.toThrow(FAILED);
  });
});

describe('a password', () => {
  it('may be missing, empty, or too long', async () => {
    const { calls } = await start();
    const root = await enable(calls);
    await calls.call(auth.userAdd, { name: 'empty' }, root);
    expect(await logIn(calls, 'empty', '')).not.toBe('');
    await calls.call(auth.userAdd, { name: 'cn', options: { noPassword: true } }, root);
    await expect(logIn(calls, 'cn', '')).rejects.toThrow(
      'auth: authentication failed, password was given for no password user',
    );
    await calls.call(auth.userChangePassword, { name: 'empty' }, root);
    await expect(logIn(calls, 'empty', '')).rejects.toThrow(FAILED);
    const password = 'x'.repeat(73);
    const tooLong = 'bcrypt: password length exceeds 72 bytes';
    await expect(calls.call(auth.userAdd, { name: 'u', password }, root)).rejects.toThrow(tooLong);
    await expect(calls.call(auth.userAdd, { name: 'u', password })).rejects.toThrow(tooLong);
  });

  it('never reaches the disk', async () => {
    const path = await tempDir();
    const { calls, etcd } = await start([], { directory: path });
    const root = await enable(calls);
    const password = 'a password to look for';
    const noPassword = { noPassword: true };
    await calls.call(auth.userAdd, { name: 'u', password }, root);
    await calls.call(auth.userAdd, { name: 'v', password, options: noPassword }, root);
    await calls.call(auth.userChangePassword, { name: 'u', password }, root);
    await logIn(calls, 'u', password);
    await etcd.stop();
    const files = await readdir(path, { recursive: true, withFileTypes: true });
    let found = 0;
    for (const file of files.filter((entry) => entry.isFile())) {
      const content = await readFile(join(file.parentPath, file.name));
      expect(content.includes(password), file.name).toBe(false);
      if (content.includes('$2a$04$')) found++;
    }
    expect(found).toBeGreaterThan(0);
  });

  it('of a user whose name no row can have is refused', async () => {
    const { calls } = await start();
    const name = 'n'.repeat(1979);
    await expect(calls.call(auth.userAdd, { name })).rejects.toThrow('at most 1978 bytes');
    await expect(calls.call(auth.roleAdd, { name })).rejects.toThrow('at most 1978 bytes');
    await calls.call(auth.roleAdd, { name: name.slice(1) });
  });
});

it('lets leases expire while authentication is on', async () => {
  const { calls } = await start(['--heartbeat-interval=10', '--election-timeout=100']);
  const root = await enable(calls);
  await calls.call(lease.leaseGrant, { ID: 1n, TTL: 1 }, root);
  await calls.call(kv.put, { key: bytes('k'), lease: 1n }, root);
  await expect
    .poll(async () => (await calls.call(kv.range, { key: bytes('k') }, root))?.count, {
      timeout: 8000,
    })
    .toBe(0);
}, 10_000);
