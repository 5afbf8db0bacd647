import { describe, expect, it } from 'vitest';
import {
  type Permission,
  Permission_Type,
  Role,
  User,
} from '../../../src/proto/gen/authpb/auth.js';
import {
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { AuthStore } from '../../../src/server/auth/auth-store.js';
import { Authorizer } from '../../../src/server/auth/authorizer.js';
import { noTokens } from '../../../src/server/auth/no-tokens.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';

const { READ, WRITE, READWRITE } = Permission_Type;
const bytes = (text: string) => Buffer.from(text, 'latin1');

function setUp(backend = new MemoryBackend()) {
  const dropped: string[] = [];
  const store = new AuthStore({
    backend,
    tokens: {
      ...noTokens,
      assign: (name, revision, prefix, index) => [name, revision, prefix, index].join(' '),
      dropUser: (name) => dropped.push(name),
      clear: () => dropped.push('everybody'),
    },
    hashPlainPassword: (name, password) => `hash of ${password} of ${name}`,
  });
  store.restore();
  return { backend, store, dropped };
}

function addUser(store: AuthStore, name: string, password = 'hash') {
  const hashedPassword = Buffer.from(password).toString('base64');
  store.addUser(AuthUserAddRequest.create({ name, hashedPassword }));
}

function grant(store: AuthStore, name: string, permType: Permission_Type, key: string, end = '') {
  const perm: Permission = { permType, key: bytes(key), rangeEnd: bytes(end) };
  store.grantPermission(AuthRoleGrantPermissionRequest.create({ name, perm }));
}

function revoke(store: AuthStore, role: string, key: string, end = '') {
  store.revokePermission({ role, key: bytes(key), rangeEnd: bytes(end) });
}

/** A store with root, turned on. */
function enabled() {
  const parts = setUp();
  addUser(parts.store, 'root');
  parts.store.grantRole('root', 'root');
  parts.store.enable();
  return parts;
}

describe('AuthStore', () => {
  it('counts its changes and comes back as it was (A1)', () => {
    const { store, backend } = setUp();
    expect([store.enabled, store.revision]).toEqual([false, 1]);
    addUser(store, 'root');
    store.addRole('root');
    store.grantRole('root', 'root');
    expect(store.revision).toBe(4);
    store.enable();
    store.enable();
    expect([store.enabled, store.revision]).toEqual([true, 4]);
    const again = setUp(backend).store;
    expect([again.enabled, again.revision]).toEqual([true, 4]);
    expect(again.user('root')?.isAdmin).toBe(true);
    again.disable();
    again.disable();
    expect([again.enabled, again.revision]).toEqual([false, 5]);
  });

  it('is not turned on without a root user that holds the role root (A2)', () => {
    const { store } = setUp();
    expect(() => store.enable()).toThrow('etcdserver: root user does not exist');
    addUser(store, 'root');
    expect(() => store.enable()).toThrow('etcdserver: root user does not have root role');
    // The role need not exist.
    store.grantRole('root', 'root');
    store.enable();
    expect(store.enabled).toBe(true);
  });

  it('guards root while it is on (A4)', () => {
    const { store } = enabled();
    const refused = 'etcdserver: invalid auth management';
    expect(() => store.deleteUser('root')).toThrow(refused);
    expect(() => store.revokeRole('root', 'root')).toThrow(refused);
    expect(() => store.deleteRole('root')).toThrow(refused);
    expect(store.revision).toBe(3);
    store.disable();
    store.revokeRole('root', 'root');
    store.deleteUser('root');
    expect(() => store.deleteRole('root')).toThrow('etcdserver: role name not found');
  });

  it('knows administrators (A5)', () => {
    const { store } = enabled();
    addUser(store, 'foo');
    const authorizer = new Authorizer(store, { get: () => undefined, list: () => [] });
    const check = (username: string) => authorizer.requireAdmin({ username, authRevision: 1 });
    check('root');
    expect(() => check('nobody')).toThrow('etcdserver: user name not found');
    expect(() => check('')).toThrow('etcdserver: user name is empty');
    expect(() => check('foo')).toThrow('etcdserver: permission denied');
    store.disable();
    check('nobody');
  });

  it.each([
    ['a', ''],
    ['a', 'b'],
    ['a', '\0'],
    ['\0', ''],
    ['\0', '\0'],
  ])('grants %j to %j (A6)', (key, end) => {
    const { store } = setUp();
    store.addRole('r');
    grant(store, 'r', READ, key, end);
    expect(store.rolePermissions('r')).toHaveLength(1);
  });

  it.each([
    ['a', 'a'],
    ['b', 'a'],
    ['', 'a'],
    ['', ''],
    ['', '\0'],
  ])('refuses to grant %j to %j (A6)', (key, end) => {
    const { store } = setUp();
    expect(() => grant(store, 'none', READ, key, end)).toThrow(
      'etcdserver: invalid auth management',
    );
  });

  it('replaces and revokes permissions by their exact range (A8)', () => {
    const { store } = setUp();
    expect(() => store.addRole('')).toThrow('etcdserver: role name is empty');
    store.addRole('role1');
    expect(() => store.addRole('role1')).toThrow('etcdserver: role name already exists');
    grant(store, 'role1', READ, 'bar');
    grant(store, 'role1', WRITE, 'bar');
    expect(store.rolePermissions('role1')).toMatchObject([{ permType: WRITE }]);
    grant(store, 'role1', READWRITE, 'bar', 'foo');
    expect(() => revoke(store, 'role1', 'foo')).toThrow(
      'etcdserver: permission is not granted to the role',
    );
    revoke(store, 'role1', 'bar', 'foo');
    expect(store.rolePermissions('role1')).toHaveLength(1);
    expect(() => revoke(store, 'role2', 'bar')).toThrow('etcdserver: role name not found');
    expect(() => store.grantPermission({ name: 'role1', perm: undefined })).toThrow(
      'etcdserver: permission not given',
    );
  });

  it('looks only at the first permission of a key for replacing', () => {
    const { store } = setUp();
    store.addRole('r');
    grant(store, 'r', READ, 'a', 'b');
    grant(store, 'r', READ, 'a', 'c');
    grant(store, 'r', WRITE, 'a', 'c');
    const ends = store.rolePermissions('r').map(({ rangeEnd }) => rangeEnd.toString());
    expect(ends).toEqual(['b', 'c', 'c']);
    revoke(store, 'r', 'a', 'c');
    expect(store.rolePermissions('r')).toHaveLength(1);
  });

  it('keeps the roles of a user in order and takes a deleted one away (A14)', () => {
    const { store } = setUp();
    addUser(store, 'u');
    const roles = ['role1', 'role2', 'abc', 'xyz', 'role3', '\u{10000}', '\uffff'];
    for (const role of roles) store.addRole(role);
    for (const role of roles) store.grantRole('u', role);
    // In the order of the bytes of UTF-8, which is not that of UTF-16.
    const sorted = ['abc', 'role1', 'role2', 'role3', 'xyz', '\uffff', '\u{10000}'];
    expect(store.userRoles('u')).toEqual(sorted);
    expect(store.roleNames()).toEqual(sorted);
    const { revision } = store;
    store.grantRole('u', 'abc');
    expect(store.revision).toBe(revision);
    store.deleteRole('abc');
    expect(store.userRoles('u')).not.toContain('abc');
    expect(() => store.revokeRole('u', 'abc')).toThrow('etcdserver: role is not granted');
    expect(() => store.grantRole('u', 'abc')).toThrow('etcdserver: role name not found');
    expect(() => store.grantRole('v', 'xyz')).toThrow('etcdserver: user name not found');
  });

  it('shows what root may do only while the role exists', () => {
    const { store } = enabled();
    expect(() => store.rolePermissions('root')).toThrow('etcdserver: role name not found');
    store.addRole('root');
    expect(store.rolePermissions('root')).toEqual([
      { permType: READWRITE, key: bytes(''), rangeEnd: bytes('\0') },
    ]);
  });

  it('writes the rows that etcd writes', () => {
    const { store, backend } = enabled();
    store.addUser(AuthUserAddRequest.create({ name: 'cn', options: { noPassword: true } }));
    store.addRole('r1');
    grant(store, 'r1', READWRITE, 'foo', 'foz');
    const row = (bucket: 'auth' | 'authUsers' | 'authRoles', key: string) =>
      backend.get(bucket, bytes(key))?.toString('hex');
    expect(row('auth', 'authEnabled')).toBe('01');
    expect(row('auth', 'authRevision')).toBe('0000000000000006');
    expect(row('authUsers', 'root')).toBe('0a04726f6f741204686173681a04726f6f742200');
    expect(row('authUsers', 'cn')).toBe('0a02636e22020801');
    expect(row('authRoles', 'r1')).toBe('0a027231120c08021203666f6f1a03666f7a');
    store.disable();
    expect(row('auth', 'authEnabled')).toBe('00');
  });

  it('leaves the options of rows from older releases as they are', () => {
    const backend = new MemoryBackend();
    const old: User = { name: bytes('old'), password: bytes('x'), roles: [], options: undefined };
    backend.put('authUsers', old.name, User.encode(old).finish());
    const role: Role = { name: bytes('r'), keyPermission: [] };
    backend.put('authRoles', role.name, Role.encode(role).finish());
    const { store } = setUp(backend);
    store.grantRole('old', 'r');
    expect(backend.get('authUsers', bytes('old'))?.toString('hex')).toBe('0a036f6c641201781a0172');
  });

  it('stores passwords as they come, and hashes what an old log holds', () => {
    const { store, dropped } = setUp();
    addUser(store, 'u', 'first');
    const change = (fields: Partial<AuthUserChangePasswordRequest>) =>
      store.changePassword(AuthUserChangePasswordRequest.create({ name: 'u', ...fields }));
    const stored = () => store.user('u')?.row.password.toString();
    expect(stored()).toBe('first');
    change({ hashedPassword: 'c2Vjb25k' });
    expect(stored()).toBe('second');
    change({ password: 'plain' });
    expect(stored()).toBe('hash of plain of u');
    change({});
    expect(stored()).toBe('');
    expect(() => change({ hashedPassword: '!' })).toThrow('password was given for no password');
    expect(dropped).toEqual(['u', 'u', 'u']);
  });

  it('leaves a user without a password without one', () => {
    const { store } = setUp();
    const options = { noPassword: true };
    store.addUser(AuthUserAddRequest.create({ name: 'u', options, hashedPassword: 'c2Vjb25k' }));
    store.changePassword({ name: 'u', password: '', hashedPassword: 'c2Vjb25k' });
    expect(store.user('u')?.row.password).toHaveLength(0);
    expect(store.revision).toBe(3);
  });

  it('makes tokens only for users with a password, while it is on', () => {
    const { store, dropped } = enabled();
    store.addUser(AuthUserAddRequest.create({ name: 'cn', options: { noPassword: true } }));
    const logIn = (name: string) =>
      store.authenticate({ name, password: '', simpleToken: 'prefix' }, 7);
    expect(logIn('root')).toBe('root 4 prefix 7');
    expect(() => logIn('nobody')).toThrow('authentication failed, invalid user ID or password');
    expect(() => logIn('cn')).toThrow('password was given for no password user');
    store.deleteUser('cn');
    store.disable();
    expect(dropped).toEqual(['cn', 'everybody']);
    expect(() => logIn('root')).toThrow('etcdserver: authentication is not enabled');
  });

  it('refuses users without a name or with a name that is taken', () => {
    const { store } = setUp();
    expect(() => addUser(store, '')).toThrow('etcdserver: user name is empty');
    addUser(store, 'u');
    expect(() => addUser(store, 'u')).toThrow('etcdserver: user name already exists');
    expect(() => store.deleteUser('v')).toThrow('etcdserver: user name not found');
    expect(() => store.userRoles('v')).toThrow('etcdserver: user name not found');
    expect(store.userNames()).toEqual(['u']);
  });
});
