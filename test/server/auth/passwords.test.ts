import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { bcryptPasswordHasher } from '../../../src/platform/bcrypt-password-hasher.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import type { PasswordHasher } from '../../../src/platform/password-hasher.js';
import { AuthUserAddRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { AuthStore } from '../../../src/server/auth/auth-store.js';
import { type LogInOptions, logIn } from '../../../src/server/auth/log-in.js';
import {
  FORGET_MILLIS,
  FREE_FAILURES,
  LONGEST_DELAY_MILLIS,
  LoginLimiter,
  MAX_SOURCES,
} from '../../../src/server/auth/login-limiter.js';
import { noTokens } from '../../../src/server/auth/no-tokens.js';
import {
  MAX_CONCURRENT_HASHES,
  MAX_WAITING_HASHES,
  PasswordWork,
} from '../../../src/server/auth/password-work.js';
import { plainPasswordHasher } from '../../../src/server/auth/plain-password.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';

const TOO_MANY = 'etcdserver: too many requests';
/** A hasher that hashes nothing and counts. */
function fakeHasher() {
  const counts = { running: 0, most: 0, verified: [] as string[] };
  const hasher: PasswordHasher = {
    hash: async (password, cost) => `${cost}:${password}`,
    async verify(password, hash) {
      counts.most = Math.max(counts.most, ++counts.running);
      await nextTurn();
      counts.running--;
      counts.verified.push(Buffer.from(hash).toString());
      return Buffer.from(hash).toString() === `4:${password}`;
    },
    hashWithSalt: (password, cost, salt) => `${cost}:${password}:${salt.length}`,
  };
  return { hasher, counts };
}

describe('bcrypt', () => {
  it('writes hashes as Go does and knows them again', async () => {
    const hash = await bcryptPasswordHasher.hash('secret', 4);
    expect(hash).toMatch(/^\$2a\$04\$.{53}$/);
    expect(await bcryptPasswordHasher.verify('secret', Buffer.from(hash))).toBe(true);
    expect(await bcryptPasswordHasher.verify('Secret', Buffer.from(hash))).toBe(false);
    expect(await bcryptPasswordHasher.verify('', Buffer.alloc(0))).toBe(false);
    // Made by golang.org/x/crypto/bcrypt, from the tests of that package.
    const go = Buffer.from('$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga');
    expect(await bcryptPasswordHasher.verify('allmine', go)).toBe(true);
  });

  it('hashes what an old log holds alike on every member', () => {
    const hash = plainPasswordHasher(bcryptPasswordHasher, 4);
    expect(hash('user', 'secret')).toBe(hash('user', 'secret'));
    expect(hash('user', 'secret')).not.toBe(hash('other', 'secret'));
    expect(hash('user', 'secret')).toMatch(/^\$2a\$04\$/);
  });
});

describe('PasswordWork', () => {
  it('gives hashes in base64 and refuses what bcrypt would cut', async () => {
    const work = new PasswordWork(fakeHasher().hasher, 4);
    expect(await work.hash('a')).toBe(Buffer.from('4:a').toString('base64'));
    await work.hash('é'.repeat(36));
    await expect(work.hash('é'.repeat(37))).rejects.toThrow(
      'bcrypt: password length exceeds 72 bytes',
    );
  });

  it('does as much work where there is no hash', async () => {
    const { hasher, counts } = fakeHasher();
    const work = new PasswordWork(hasher, 4);
    expect(await work.verify('p', Buffer.from('4:p'))).toBe(true);
    expect(await work.verify('p', undefined)).toBe(false);
    // The password of the decoy itself is no way in.
    expect(await work.verify('', undefined)).toBe(false);
    expect(await work.verify('', Buffer.alloc(0))).toBe(false);
    expect(counts.verified).toEqual(['4:p', '4:', '4:', '4:']);
  });

  it('works on a few at a time and lets a bounded number wait', async () => {
    const { hasher, counts } = fakeHasher();
    const work = new PasswordWork(hasher, 4);
    const places = MAX_CONCURRENT_HASHES + MAX_WAITING_HASHES;
    const all = Array.from({ length: places }, () => work.verify('p', undefined));
    await expect(work.verify('p', undefined)).rejects.toThrow(TOO_MANY);
    await Promise.all(all);
    expect(counts.most).toBe(MAX_CONCURRENT_HASHES);
    expect(await work.verify('p', Buffer.from('4:p'))).toBe(true);
  });
});

describe('LoginLimiter', () => {
  it('lets a user be wrong a few times, then slows down', async () => {
    const clock = new ManualClock();
    const limiter = new LoginLimiter(clock);
    for (let i = 0; i < FREE_FAILURES; i++) {
      (await limiter.admit('a u'))();
      limiter.noteFailure('a u');
    }
    let admitted = false;
    const waiting = limiter.admit('a u').then(() => {
      admitted = true;
    });
    await nextTurn();
    expect(admitted).toBe(false);
    (await limiter.admit('b u'))();
    clock.advance(LONGEST_DELAY_MILLIS);
    await waiting;
    for (let i = 0; i < 20; i++) limiter.noteFailure('a u');
    const queue = Array.from({ length: 5 }, () => limiter.admit('a u'));
    await expect(limiter.admit('a u')).rejects.toThrow(TOO_MANY);
    clock.advance(10 * LONGEST_DELAY_MILLIS);
    await Promise.all(queue);
  });

  it('forgets a source that got it right, is long past, or is one of too many', async () => {
    const clock = new ManualClock();
    const limiter = new LoginLimiter(clock);
    limiter.noteFailure('a');
    limiter.noteSuccess('a');
    expect(limiter.size).toBe(0);
    limiter.noteFailure('a');
    clock.advance(FORGET_MILLIS);
    limiter.noteFailure('b');
    expect(limiter.size).toBe(1);
    for (let i = 0; i < MAX_SOURCES + 5; i++) limiter.noteFailure(`source ${i}`);
    expect(limiter.size).toBe(MAX_SOURCES);
  });
});

describe('logIn', () => {
  function setUp() {
    const { hasher, counts } = fakeHasher();
    const auth = new AuthStore({
      backend: new MemoryBackend(),
      tokens: noTokens,
      hashPlainPassword: (_name, password) => password,
    });
    auth.restore();
    const hashedPassword = Buffer.from('4:right').toString('base64');
    auth.addUser(AuthUserAddRequest.create({ name: 'root', hashedPassword }));
    auth.addUser(AuthUserAddRequest.create({ name: 'cn', options: { noPassword: true } }));
    auth.grantRole('root', 'root');
    auth.enable();
    const options: LogInOptions = {
      auth,
      passwords: new PasswordWork(hasher, 4),
      limiter: new LoginLimiter(new ManualClock()),
      logger: silentLogger,
      propose: async (name) => `token of ${name}`,
    };
    const attempt = (name: string, password: string, changed: Partial<LogInOptions> = {}) =>
      logIn({ ...options, ...changed }, { name, password, address: '10.0.0.1' });
    return { auth, attempt, counts };
  }

  it('gives a token for the right password only', async () => {
    const { attempt, auth } = setUp();
    expect(await attempt('root', 'right')).toBe('token of root');
    const failed = 'etcdserver: authentication failed, invalid user ID or password';
    await expect(attempt('root', 'wrong')).rejects.toThrow(failed);
    await expect(attempt('nobody', 'right')).rejects.toThrow(failed);
    await expect(attempt('cn', '')).rejects.toThrow('password was given for no password user');
    auth.disable();
    await expect(attempt('root', 'right')).rejects.toThrow('authentication is not enabled');
  });

  it('begins again when the auth store changed under it', async () => {
    const { attempt, auth, counts } = setUp();
    let proposals = 0;
    const token = await attempt('root', 'right', {
      async propose() {
        if (++proposals === 1) auth.addRole('new');
        return `token ${proposals}`;
      },
    });
    expect(token).toBe('token 2');
    expect(counts.verified).toHaveLength(2);
    let role = 0;
    const restless = { propose: async () => String(auth.addRole(`role ${role++}`)) };
    await expect(attempt('root', 'right', restless)).rejects.toThrow('revision of auth store');
  });

  it('checks no more guesses at once than in a row', async () => {
    const { attempt, counts } = setUp();
    const results = await Promise.allSettled(
      Array.from({ length: 200 }, (_, guess) => attempt('root', `guess ${guess}`)),
    );
    const refused = results.filter(
      (result) => result.status === 'rejected' && String(result.reason).includes(TOO_MANY),
    );
    expect(counts.verified.length).toBeLessThanOrEqual(FREE_FAILURES + MAX_CONCURRENT_HASHES);
    expect(refused.length).toBe(200 - counts.verified.length);
  });
});
