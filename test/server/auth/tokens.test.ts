import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { MAX_SIMPLE_TOKENS, SimpleTokens } from '../../../src/server/auth/simple-tokens.js';
import { createTokenProvider } from '../../../src/server/auth/token-options.js';

const pem = (key: KeyObject, type: 'pkcs8' | 'spki') =>
  Buffer.from(key.export({ type, format: 'pem' }) as string);

/** The key files of the tests, by path. */
const files = new Map<string, Buffer>([['secret', Buffer.from('a shared secret')]]);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
files.set('rsa', pem(rsa.privateKey, 'pkcs8'));
files.set('rsa.pub', pem(rsa.publicKey, 'spki'));
files.set('other.pub', pem(other.publicKey, 'spki'));
for (const [name, namedCurve] of [
  ['ec256', 'P-256'],
  ['ec384', 'P-384'],
  ['ec521', 'P-521'],
] as const) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  files.set(name, pem(privateKey, 'pkcs8'));
  files.set(`${name}.pub`, pem(publicKey, 'spki'));
}
const ed = generateKeyPairSync('ed25519');
files.set('ed', pem(ed.privateKey, 'pkcs8'));
files.set('ed.pub', pem(ed.publicKey, 'spki'));

const START_MILLIS = 1_700_000_000_000;

function create(text: string, clock = new ManualClock(START_MILLIS)) {
  return createTokenProvider({
    text,
    simpleTtlSeconds: 300,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    async readFile(path) {
      const file = files.get(path);
      if (file === undefined) throw new Error(`open ${path}: no such file or directory`);
      return file;
    },
  });
}

const decode = (part: string | undefined) =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString());
const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');

describe('simple tokens', () => {
  const setUp = (ttlMillis = 1000) => {
    const clock = new ManualClock();
    return { clock, tokens: new SimpleTokens({ clock, random: seededRandom(1), ttlMillis }) };
  };

  it('are sixteen letters and an index', () => {
    const { tokens } = setUp();
    const prefix = tokens.newPrefix();
    expect(prefix).toMatch(/^[a-zA-Z]{16}$/);
    expect(tokens.newPrefix()).not.toBe(prefix);
    expect(tokens.assign('u', 5, prefix, 42)).toBe(`${prefix}.42`);
    expect(tokens.lookup(`${prefix}.42`, 9)).toEqual({ username: 'u', authRevision: 9 });
    expect(tokens.lookup(`${prefix}.43`, 9)).toBeUndefined();
  });

  it('live as long as they are used', () => {
    const { tokens, clock } = setUp();
    const token = tokens.assign('u', 1, 'abc', 1);
    for (let i = 0; i < 5; i++) {
      clock.advance(900);
      expect(tokens.lookup(token, 1)).toBeDefined();
    }
    clock.advance(1000);
    expect(tokens.lookup(token, 1)).toBeUndefined();
  });

  it('end with their user, and all together', () => {
    const { tokens } = setUp();
    const [first, second] = [tokens.assign('u', 1, 'a', 1), tokens.assign('v', 1, 'b', 2)];
    tokens.dropUser('u');
    expect(tokens.lookup(first, 1)).toBeUndefined();
    expect(tokens.lookup(second, 1)).toBeDefined();
    tokens.clear();
    expect(tokens.lookup(second, 1)).toBeUndefined();
  });

  it('are remembered in a bounded number, and not beyond their time', () => {
    const { tokens, clock } = setUp();
    for (let i = 0; i <= MAX_SIMPLE_TOKENS; i++) tokens.assign('u', 1, 'p', i);
    expect(tokens.size).toBe(MAX_SIMPLE_TOKENS);
    expect(tokens.lookup('p.0', 1)).toBeUndefined();
    expect(tokens.lookup(`p.${MAX_SIMPLE_TOKENS}`, 1)).toBeDefined();
    clock.advance(2000);
    tokens.assign('u', 1, 'q', 1);
    expect(tokens.size).toBe(1);
  });

  it.each(['', 'abc', 'abc.', 'abc.x', 'abc.-1', 'a.b.1', 'abc.1 '])('are not %j', (token) => {
    expect(setUp().tokens.neededIndex(token)).toBeUndefined();
  });
});

describe('JSON web tokens', () => {
  it.each([
    ['RS256', 'rsa'],
    ['RS384', 'rsa'],
    ['RS512', 'rsa'],
    ['PS256', 'rsa'],
    ['PS384', 'rsa'],
    ['PS512', 'rsa'],
    ['ES256', 'ec256'],
    ['ES384', 'ec384'],
    ['ES512', 'ec521'],
    ['EdDSA', 'ed'],
  ])('are signed with %s and checked with the public key', async (method, key) => {
    const signer = await create(`jwt,sign-method=${method},priv-key=${key},pub-key=${key}.pub`);
    const checker = await create(`jwt,sign-method=${method},pub-key=${key}.pub`);
    const token = signer.assign('name', 7, '', 0);
    expect(decode(token.split('.')[0])).toEqual({ alg: method, typ: 'JWT' });
    expect(decode(token.split('.')[1])).toEqual({
      exp: START_MILLIS / 1000 + 300,
      revision: 7,
      username: 'name',
    });
    expect(checker.lookup(token, 99)).toEqual({ username: 'name', authRevision: 7 });
    expect(() => checker.assign('name', 7, '', 0)).toThrow(
      'auth: token signing attempted with verify-only key',
    );
    const [header, , signature] = token.split('.');
    const forged = encode({ exp: 9e9, revision: 7, username: 'root' });
    expect(checker.lookup(`${header}.${forged}.${signature}`, 99)).toBeUndefined();
  });

  it.each(['HS256', 'HS384', 'HS512'])('are signed with %s', async (method) => {
    const tokens = await create(`jwt,sign-method=${method},priv-key=secret`);
    const token = tokens.assign('name', 7, '', 0);
    expect(tokens.lookup(token, 99)).toEqual({ username: 'name', authRevision: 7 });
    expect(tokens.lookup(`${token}A`, 99)).toBeUndefined();
  });

  it('end', async () => {
    const clock = new ManualClock(START_MILLIS);
    const tokens = await create('jwt,sign-method=HS256,priv-key=secret,ttl=10s', clock);
    const token = tokens.assign('name', 7, '', 0);
    clock.advance(9999);
    expect(tokens.lookup(token, 1)).toBeDefined();
    clock.advance(1);
    expect(tokens.lookup(token, 1)).toBeUndefined();
  });

  it('may not choose how they are checked', async () => {
    const tokens = await create('jwt,sign-method=RS256,pub-key=rsa.pub');
    const payload = encode({ exp: 9e9, revision: 7, username: 'root' });
    expect(tokens.lookup(`${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`, 1)).toBeUndefined();
    expect(tokens.lookup(`${encode({ alg: 'none' })}.${payload}.AA`, 1)).toBeUndefined();
    // The public key is no secret, so it must never serve as one.
    files.set('stolen', files.get('rsa.pub') ?? Buffer.alloc(0));
    const thief = await create('jwt,sign-method=HS256,priv-key=stolen');
    expect(tokens.lookup(thief.assign('root', 7, '', 0), 1)).toBeUndefined();
    const pss = await create('jwt,sign-method=PS256,priv-key=rsa');
    expect(tokens.lookup(pss.assign('root', 7, '', 0), 1)).toBeUndefined();
  });

  it.each([
    { revision: 7 },
    { username: 'u' },
    { username: 'u', revision: '7' },
    { username: 1, revision: 7 },
    { username: 'u', revision: -1 },
    { username: 'u', revision: 7, exp: 'soon' },
    { username: 'u', revision: 7, nbf: 9e9 },
    null,
    'text',
  ])('with the claims %j are refused', async (claims) => {
    const { createHmac } = await import('node:crypto');
    const tokens = await create('jwt,sign-method=HS256,priv-key=secret');
    const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
    const signature = createHmac('sha256', 'a shared secret').update(content).digest('base64url');
    expect(tokens.lookup(`${content}.${signature}`, 1)).toBeUndefined();
  });

  it.each(['', 'a', 'a.b', 'a.b.c', 'a.b.c.d', '..', `${'a'.repeat(20_000)}.b.c`])(
    'are not %#',
    async (token) => {
      const tokens = await create('jwt,sign-method=HS256,priv-key=secret');
      expect(tokens.lookup(token, 1)).toBeUndefined();
    },
  );
});

describe('--auth-token', () => {
  const INVALID = 'auth: invalid auth options';
  const NO_KEY = 'auth: missing key data';
  it.each([
    ['jwt', INVALID],
    ['jwt,sign-method=none', INVALID],
    ['jwt,sign-method=HS256,priv-key=secret,ttl=forever', INVALID],
    ['jwt,sign-method=RS256,pub-key=absent', INVALID],
    ['jwt,sign-method=RS256', NO_KEY],
    ['jwt,sign-method=ES256', NO_KEY],
    ['jwt,sign-method=EdDSA', NO_KEY],
    ['jwt,sign-method=HS256', NO_KEY],
    ['jwt,sign-method=HS256,pub-key=rsa.pub', NO_KEY],
    ['jwt,sign-method', INVALID],
    ['jwt,sign-method=HS256=x,priv-key=secret', INVALID],
    ['jwt,sign-method=HS256,sign-method=HS256,priv-key=secret', INVALID],
    ['paseto', INVALID],
    [
      'jwt,sign-method=RS256,priv-key=rsa,pub-key=other.pub',
      "auth: public and private keys don't match",
    ],
    [
      'jwt,sign-method=RS256,priv-key=secret',
      'invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key',
    ],
    ['jwt,sign-method=RS256,priv-key=ec256', 'key is not a valid RSA private key'],
    ['jwt,sign-method=RS256,pub-key=ec256.pub', 'key is not a valid RSA public key'],
    ['jwt,sign-method=ES256,priv-key=rsa', 'key is not a valid ECDSA private key'],
    ['jwt,sign-method=ES256,pub-key=rsa', 'key is not a valid ECDSA public key'],
    ['jwt,sign-method=ES256,priv-key=ec384', 'on curve secp384r1, not prime256v1'],
    ['jwt,sign-method=EdDSA,priv-key=ec256', 'key is not a valid Ed25519 private key'],
  ])('%s is refused (A18)', async (text, error) => {
    await expect(create(text)).rejects.toThrow(error);
  });

  it('is simple by default and may be empty', async () => {
    expect(await create('simple')).toBeInstanceOf(SimpleTokens);
    const none = await create('');
    expect(() => none.assign('root', 1, '', 1)).toThrow('authentication failed');
    expect(none.neededIndex('abc.1')).toBeUndefined();
  });

  it('passes over JWT options that it does not know', async () => {
    const tokens = await create('jwt,sign-method=HS256,priv-key=secret,colour=blue');
    expect(tokens.lookup(tokens.assign('u', 3, '', 0), 1)?.authRevision).toBe(3);
  });
});
