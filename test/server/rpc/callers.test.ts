import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { AuthUserAddRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { AuthStore } from '../../../src/server/auth/auth-store.js';
import { Authorizer } from '../../../src/server/auth/authorizer.js';
import { SimpleTokens } from '../../../src/server/auth/simple-tokens.js';
import { Callers, MAX_TOKEN_WAITS } from '../../../src/server/rpc/callers.js';
import type { CallContext } from '../../../src/server/rpc/transport.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';

const ANONYMOUS = { username: '', authRevision: 0 };
const INVALID = 'etcdserver: invalid auth token';

function setUp({ trustsCertificates = false } = {}) {
  const clock = new ManualClock();
  const tokens = new SimpleTokens({ clock, random: seededRandom(1), ttlMillis: 60_000 });
  const auth = new AuthStore({
    backend: new MemoryBackend(),
    tokens,
    hashPlainPassword: (_name, password) => password,
  });
  auth.restore();
  for (const name of ['root', 'limited']) auth.addUser(AuthUserAddRequest.create({ name }));
  auth.grantRole('root', 'root');
  auth.enable();
  const applied = { index: 10 };
  const callers = new Callers({
    auth,
    authorizer: new Authorizer(auth, { get: () => undefined, list: () => [] }),
    tokens,
    clock,
    appliedIndex: () => applied.index,
    timeoutMillis: 7000,
    trustsCertificates,
  });
  /** Moves the clock and lets what waited for it go on. */
  const pass = async (millis: number) => {
    for (let passed = 0; passed < millis; passed += 20) {
      clock.advance(20);
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  return { auth, tokens, applied, callers, pass };
}

function context(
  metadata: Readonly<Record<string, string>>,
  commonName?: string,
  signal = new AbortController().signal,
): CallContext {
  const entries = new Map(Object.entries(metadata));
  return {
    method: '/etcdserverpb.KV/Range',
    metadata: { get: (name) => entries.get(name) },
    peer: '127.0.0.1:1',
    commonName,
    deadlineMillis: undefined,
    signal,
  };
}

describe('Callers', () => {
  it('know a token at once', () => {
    const { callers, tokens } = setUp();
    const token = tokens.assign('root', 4, 'abc', 9);
    expect(callers.of(context({ token }))).toEqual({ username: 'root', authRevision: 4 });
    expect(callers.of(context({}))).toEqual(ANONYMOUS);
    expect(() => callers.of(context({ token: 'abc.8' }))).toThrow(INVALID);
    expect(() => callers.of(context({ token: 'abc' }))).toThrow(INVALID);
  });

  it('look at nothing while authentication is off', () => {
    const { callers, auth } = setUp();
    expect(callers.enabled).toBe(true);
    auth.disable();
    expect(callers.enabled).toBe(false);
    expect(callers.of(context({ token: 'nonsense' }))).toEqual(ANONYMOUS);
  });

  it('wait for the log-in that a token is from', async () => {
    const { callers, tokens, applied, pass } = setUp();
    const found = callers.of(context({ token: 'abc.12' }));
    expect(found).toBeInstanceOf(Promise);
    await pass(100);
    tokens.assign('root', 4, 'abc', 12);
    applied.index = 13;
    await pass(100);
    expect(await found).toEqual({ username: 'root', authRevision: 4 });
  });

  it('wait neither for ever, nor for a call that is gone, nor for too many', async () => {
    const { callers, pass } = setUp();
    const bogus = { token: 'abc.99999999999999999999' };
    const late = expect(callers.of(context(bogus))).rejects.toThrow(INVALID);
    await pass(7100);
    await late;
    const abort = new AbortController();
    const gone = expect(callers.of(context(bogus, undefined, abort.signal))).rejects.toThrow(
      INVALID,
    );
    abort.abort();
    await pass(40);
    await gone;
    const waits = Array.from({ length: MAX_TOKEN_WAITS }, () => callers.of(context(bogus)));
    const all = Promise.allSettled(waits);
    await expect(callers.of(context(bogus))).rejects.toThrow(INVALID);
    await pass(7100);
    await all;
  });

  it('take the name in a certificate where they are told to, if there is no token', () => {
    const { callers, tokens } = setUp({ trustsCertificates: true });
    const token = tokens.assign('limited', 4, 'abc', 9);
    expect(callers.of(context({}, 'root'))).toEqual({ username: 'root', authRevision: 4 });
    expect(callers.of(context({ token }, 'root'))).toMatchObject({ username: 'limited' });
    expect(() => callers.of(context({ token: 'bad.1' }, 'root'))).toThrow(INVALID);
    // The gateway's own certificate says nothing about who asks.
    const gateway = { 'grpcgateway-accept': 'application/json' };
    expect(callers.of(context(gateway, 'root'))).toEqual(ANONYMOUS);
    expect(setUp().callers.of(context({}, 'root'))).toEqual(ANONYMOUS);
  });

  it('can be asked for known users and for administrators', async () => {
    const { callers, tokens } = setUp();
    const token = tokens.assign('limited', 4, 'abc', 9);
    await expect(callers.known(context({}))).rejects.toThrow('user name is empty');
    expect(await callers.known(context({ token }))).toMatchObject({ username: 'limited' });
    await expect(callers.admin(context({ token }))).rejects.toThrow('permission denied');
    await expect(callers.admin(context({}))).rejects.toThrow('user name is empty');
  });
});
