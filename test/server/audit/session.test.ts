import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Permission_Type } from '../../../src/proto/gen/authpb/auth.js';
import { SERVICES } from '../../../src/proto/services.js';
import { startEtcd } from '../../../src/testing.js';
import { AuthCalls } from '../../support/auth-calls.js';
import { makeTempDir } from '../../support/temp-dir.js';

const { kv, watch, lease, auth, lock, maintenance, cluster } = SERVICES;
const bytes = (text: string): Buffer => Buffer.from(text);

/** All that must not be found in the file. */
const SECRETS = [
  'value-of-put',
  'value-in-txn',
  'value-compared',
  'value-nested',
  'value-denied',
  'password-of-root',
  'password-of-alice',
  'password-changed',
  'password-guessed',
  'token-made-up',
  '$2a$',
  '$2b$',
];

const LEASE = 0x1234abcdn;

/** What is left of a line without the parts that are different each time. */
type Line = Readonly<Record<string, unknown>>;

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);

/** Whether the client or the server was first to end a stream is left to chance. */
const told = ({ method, user, code, event }: Line): string =>
  [method, event, user, event === 'end' ? '' : code]
    .filter((part) => part !== '' && part !== undefined)
    .join(' ');

async function readLines(path: string): Promise<Line[]> {
  return existsSync(path) ? linesOf(await readFile(path, 'utf8')) : [];
}

/** Calls a server, and waits for its audit log where the order would else be left to chance. */
class Session {
  readonly #calls: AuthCalls;
  readonly #path: string;
  readonly #reads: boolean;
  token: string | undefined;

  constructor(endpoint: string, path: string, reads: boolean) {
    this.#calls = new AuthCalls(endpoint);
    this.#path = path;
    this.#reads = reads;
  }

  close(): void {
    this.#calls.close();
  }

  /** A call that may be refused. */
  call: AuthCalls['call'] = async (definition, fields, token = this.token) => {
    try {
      return await this.#calls.call(definition, fields, token);
    } catch {
      return undefined;
    }
  };

  /** A stream that the client ends after the first answer; its end comes to the server by itself. */
  stream: AuthCalls['call'] = async (definition, fields, token) => {
    const before = await this.#ends();
    const answer = await this.call(definition, fields, token);
    if (this.#reads || definition.path !== watch.watch.path) {
      await vi.waitFor(async () => expect(await this.#ends()).toBeGreaterThan(before));
    }
    return answer;
  };

  async logIn(name: string, password: string): Promise<string | undefined> {
    return (await this.call(auth.authenticate, { name, password }, ''))?.token;
  }

  async #ends(): Promise<number> {
    return (await readLines(this.#path)).filter(({ event }) => event === 'end').length;
  }
}

const put = (key: string, value: string) => ({
  request: {
    $case: 'requestPut' as const,
    value: kv.put.request.create({ key: bytes(key), value: bytes(value) }),
  },
});

const range = (key: string) => ({
  request: {
    $case: 'requestRange' as const,
    value: kv.range.request.create({ key: bytes(key) }),
  },
});

const nestedTxn = {
  compare: [
    {
      result: 0 as const,
      target: 3 as const,
      key: bytes('c'),
      rangeEnd: bytes(''),
      targetUnion: { $case: 'value' as const, value: bytes('value-compared') },
    },
  ],
  success: [put('never', 'value-in-txn')],
  failure: [
    put('t', 'value-in-txn'),
    {
      request: {
        $case: 'requestTxn' as const,
        value: kv.txn.request.create({
          success: [
            put('n', 'value-nested'),
            {
              request: {
                $case: 'requestDeleteRange' as const,
                value: kv.deleteRange.request.create({ key: bytes('x'), rangeEnd: bytes('y') }),
              },
            },
          ],
        }),
      },
    },
  ],
};

const watchOf = (key: string) => ({
  requestUnion: {
    $case: 'createRequest' as const,
    value: {
      key: bytes(key),
      rangeEnd: bytes('\0'),
      startRevision: 0,
      progressNotify: false,
      filters: [],
      prevKv: false,
      watchId: 0n,
      fragment: false,
    },
  },
});

async function useKeys(session: Session): Promise<void> {
  await session.call(kv.put, { key: bytes('k'), value: bytes('value-of-put') });
  await session.call(kv.put, { value: bytes('value-of-put') });
  await session.call(kv.put, { key: Buffer.of(0, 0xff), value: bytes('value-of-put') });
  await session.call(kv.range, { key: bytes('k'), rangeEnd: bytes('l'), revision: 2 });
  await session.call(kv.txn, nestedTxn);
  await session.call(kv.txn, { success: [range('k')] });
  await session.call(kv.deleteRange, { key: bytes('k'), prevKv: true });
  await session.call(kv.compact, { revision: 3 });
  await session.call(lease.leaseGrant, { ID: LEASE, TTL: 60 });
  await session.stream(lease.leaseKeepAlive, { ID: LEASE });
  await session.call(lease.leaseTimeToLive, { ID: LEASE, keys: true });
  await session.call(lease.leaseRevoke, { ID: LEASE });
  await session.stream(watch.watch, watchOf('w'));
  await session.call(lock.lock, { name: bytes('my-lock') });
  await session.call(cluster.memberList, {});
}

async function setUpUsers(session: Session): Promise<void> {
  const perm = {
    permType: Permission_Type.READWRITE,
    key: bytes('k'),
    rangeEnd: bytes('l'),
  };
  await session.call(auth.userAdd, { name: 'root', password: 'password-of-root' });
  await session.call(auth.userAdd, { name: 'alice', password: 'password-of-alice' });
  await session.call(auth.roleAdd, { name: 'r' });
  await session.call(auth.roleGrantPermission, { name: 'r', perm });
  await session.call(auth.userGrantRole, { user: 'alice', role: 'r' });
  await session.call(auth.userGrantRole, { user: 'root', role: 'root' });
  await session.call(auth.authEnable);
}

/** Gives the tokens. */
async function useUsers(session: Session): Promise<(string | undefined)[]> {
  await session.logIn('alice', 'password-guessed');
  const alice = await session.logIn('alice', 'password-of-alice');
  session.token = alice;
  await session.call(kv.put, { key: bytes('k'), value: bytes('value-of-put') });
  await session.call(kv.put, { key: bytes('other'), value: bytes('value-denied') });
  await session.call(kv.range, { key: bytes('other') });
  await session.call(kv.put, { key: bytes('k'), value: bytes('value-of-put') }, 'token-made-up.1');
  await session.stream(watch.watch, watchOf('other'));
  await session.call(auth.userList);
  await session.call(lock.lock, { name: bytes('k-lock') });
  const root = await session.logIn('root', 'password-of-root');
  session.token = root;
  await session.call(auth.userChangePassword, { name: 'alice', password: 'password-changed' });
  await session.call(maintenance.status);
  await session.call(auth.authDisable);
  return [alice, root];
}

async function auditedSession(reads: boolean): Promise<string> {
  const directory = await makeTempDir();
  const path = join(directory.path, 'audit.log');
  const etcd = await startEtcd({
    storage: { directory: join(directory.path, 'data') },
    flags: [`--audit-log=${path}`, '--bcrypt-cost=4', `--audit-log-reads=${reads}`],
  });
  const session = new Session(etcd.endpoint, path, reads);
  try {
    await useKeys(session);
    await setUpUsers(session);
    const tokens = await useUsers(session);
    expect(tokens).not.toContain(undefined);
    await etcd.stop();
    const text = await readFile(path, 'utf8');
    for (const token of tokens) expect(text).not.toContain(token);
    return text;
  } finally {
    session.close();
    await etcd.stop();
    await directory.remove();
  }
}

describe('the audit log of a session', () => {
  let text: string;
  let lines: Line[];
  beforeAll(async () => {
    text = await auditedSession(true);
    lines = linesOf(text);
  });

  it('has a line for each request, in order', () => {
    expect(lines.map(told)).toEqual([
      'KV/Put OK',
      'KV/Put InvalidArgument',
      'KV/Put OK',
      'KV/Range OK',
      'KV/Txn OK',
      'KV/Txn OK',
      'KV/DeleteRange OK',
      'KV/Compact OK',
      'Lease/LeaseGrant OK',
      'Lease/LeaseKeepAlive keep_alive OK',
      'Lease/LeaseKeepAlive end',
      'Lease/LeaseTimeToLive OK',
      'Lease/LeaseRevoke OK',
      'Watch/Watch create OK',
      'Watch/Watch end',
      'Lock/Lock OK',
      'Cluster/MemberList OK',
      'Auth/UserAdd OK',
      'Auth/UserAdd OK',
      'Auth/RoleAdd OK',
      'Auth/RoleGrantPermission OK',
      'Auth/UserGrantRole OK',
      'Auth/UserGrantRole OK',
      'Auth/AuthEnable OK',
      'Auth/Authenticate InvalidArgument',
      'Auth/Authenticate OK',
      'KV/Put alice OK',
      'KV/Put alice PermissionDenied',
      'KV/Range alice PermissionDenied',
      'KV/Put Unauthenticated',
      'Watch/Watch create alice PermissionDenied',
      'Watch/Watch end alice',
      'Auth/UserList alice PermissionDenied',
      'Lock/Lock alice OK',
      'Auth/Authenticate OK',
      'Auth/UserChangePassword root OK',
      'Maintenance/Status root OK',
      'Auth/AuthDisable root OK',
    ]);
    const times = lines.map(({ time }) => Date.parse(String(time)));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('has no values, passwords, hashes and tokens', () => {
    for (const secret of SECRETS) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(bytes(secret).toString('base64').slice(0, -2));
    }
  });

  it('says what each request is about', () => {
    const find = (method: string, position = 0) =>
      lines.filter((line) => line.method === method)[position];
    expect(find('KV/Put')).toMatchObject({ key: 'k', revision: 2 });
    expect(find('KV/Put', 2)).toMatchObject({ key_base64: 'AP8=', revision: 3 });
    expect(find('KV/Range')).toMatchObject({ key: 'k', range_end: 'l', at_revision: 2 });
    expect(find('KV/Txn')).toMatchObject({
      succeeded: false,
      operations: [
        { operation: 'compare', key: 'c' },
        { operation: 'put', branch: 'success', key: 'never' },
        { operation: 'put', branch: 'failure', key: 't' },
        { operation: 'put', branch: 'failure/success', key: 'n' },
        { operation: 'delete_range', branch: 'failure/success', key: 'x', range_end: 'y' },
      ],
    });
    expect(find('KV/DeleteRange')).toMatchObject({ key: 'k', deleted: 1 });
    expect(find('KV/Compact')).toMatchObject({ compact_revision: 3 });
    expect(find('Lease/LeaseGrant')).toMatchObject({ lease: '1234abcd', ttl_seconds: 60 });
    expect(find('Lease/LeaseKeepAlive')).toMatchObject({ lease: '1234abcd', ttl_seconds: 60 });
    expect(find('Lease/LeaseRevoke')).toMatchObject({ lease: '1234abcd' });
    expect(find('Watch/Watch')).toMatchObject({ key: 'w', range_end_base64: 'AA==', watch_id: 0 });
    expect(find('Lock/Lock')).toMatchObject({ lock: 'my-lock' });
    expect(find('Lock/Lock')?.key).toMatch(/^my-lock\//);
    expect(find('Auth/UserAdd', 1)).toMatchObject({ target_user: 'alice' });
    expect(find('Auth/RoleGrantPermission')).toMatchObject({
      target_role: 'r',
      permission: 'READWRITE',
      key: 'k',
      range_end: 'l',
    });
    expect(find('Auth/UserGrantRole')).toMatchObject({ target_user: 'alice', target_role: 'r' });
    expect(find('Auth/Authenticate')).toMatchObject({ target_user: 'alice', user: '' });
    for (const line of lines) {
      expect(line).toMatchObject({
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        cn: '',
        peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        request_bytes: expect.any(Number),
        response_bytes: expect.any(Number),
        ms: expect.any(Number),
      });
    }
  });

  it('can leave reads out, but not refusals and log-ins', async () => {
    const withoutReads = linesOf(await auditedSession(false));
    const isRead = (line: Line): boolean =>
      /^(KV\/Range|Watch|Lease\/LeaseTimeToLive|Cluster\/MemberList|Maintenance\/Status)/.test(
        String(line.method),
      ) ||
      JSON.stringify(line.operations) === '[{"operation":"range","branch":"success","key":"k"}]';
    const isRefused = ({ code }: Line): boolean => code !== 'OK' && code !== 'Canceled';
    const expected = lines.filter((line) => !isRead(line) || isRefused(line)).map(told);
    expect(withoutReads.map(told)).toEqual(expected);
    expect(expected).toContain('KV/Range alice PermissionDenied');
    expect(expected).not.toContain('KV/Range OK');
  });
});
