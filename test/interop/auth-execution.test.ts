import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { seededRandom } from '../../src/platform/seeded-random.js';
import type { Permission } from '../../src/proto/gen/authpb/auth.js';
import { type RpcDefinition, type RpcKind, SERVICES } from '../../src/proto/services.js';
import { startEtcd } from '../../src/testing.js';
import { AuthCalls, errorName } from '../support/auth-calls.js';
import { hasRealEtcd, startRealEtcd } from '../support/real-etcd.js';

const { auth, kv } = SERVICES;
/** Random requests to either server. */
const REQUESTS = Number(process.env.ETCDKIT_AUTH_REQUESTS ?? 800);
/** Requests after which everything that can be seen is compared. */
const COMPARE_EVERY = 50;

const USERS = ['root', 'u1', 'u2', '', 'none'];
const ROLES = ['root', 'r1', 'r2', 'r3', '', 'none'];
const KEYS = ['a', 'b', 'c', 'd'];
const ENDS = ['', '', '\0', 'b', 'c', 'd', 'e'];
const CALLERS = ['root', 'root', 'root', 'u1', 'u2', undefined];

type Definition = RpcDefinition<never, unknown, RpcKind>;
interface Step {
  readonly definition: Definition;
  readonly request: Readonly<Record<string, unknown>>;
  readonly caller: string | undefined;
}

/** One server under test, with the tokens of its users. */
class Side {
  readonly #calls: AuthCalls;
  readonly #tokens = new Map<string, string>();

  constructor(endpoint: string) {
    this.#calls = new AuthCalls(endpoint);
  }

  close(): void {
    this.#calls.close();
  }

  /** What a request comes to: the response without its header, or the name of the error. */
  async run({ definition, request, caller }: Step): Promise<string> {
    const token = caller === undefined ? undefined : this.#tokens.get(caller);
    try {
      const response = await this.#calls.call(definition, request as never, token);
      // 3.4 goes on refusing a token that ended, also while nobody needs one.
      if (definition.path === auth.authDisable.path) this.#tokens.clear();
      return JSON.stringify({ ...(response as object), header: undefined, kvs: undefined });
    } catch (error) {
      return errorName(error as ServiceError);
    }
  }

  /** Logs every user in anew; gives who could. */
  async logIn(): Promise<string[]> {
    const results: string[] = [];
    for (const name of USERS) {
      try {
        const answer = await this.#calls.call(auth.authenticate, { name, password: 'pw' });
        this.#tokens.set(name, answer?.token ?? '');
        results.push(`${name}: ok`);
      } catch (error) {
        this.#tokens.delete(name);
        results.push(`${name}: ${errorName(error as ServiceError)}`);
      }
    }
    return results;
  }

  /** All users and roles, as root sees them. */
  async state(): Promise<unknown> {
    const ask = (definition: unknown, request: Readonly<Record<string, unknown>>) =>
      this.run({ definition: definition as Definition, request, caller: 'root' });
    return {
      users: await ask(auth.userList, {}),
      roles: await ask(auth.roleList, {}),
      rolesOf: await Promise.all(USERS.map((name) => ask(auth.userGet, { name }))),
      // 3.4 shows the role root without its permission.
      permissionsOf: await Promise.all(
        ROLES.filter((role) => role !== 'root').map((role) => ask(auth.roleGet, { role })),
      ),
    };
  }
}

describe.skipIf(!hasRealEtcd)('auth requests', () => {
  it(
    `come to the same as with a real etcd (${REQUESTS} requests)`,
    async () => {
      const real = await startRealEtcd({ flags: ['--bcrypt-cost=4'] });
      onTestFinished(() => real.stop());
      const etcd = await startEtcd({ flags: ['--bcrypt-cost=4'] });
      onTestFinished(() => etcd.stop());
      const sides = [new Side(real.endpoint), new Side(etcd.endpoint)] as const;
      onTestFinished(() => {
        for (const side of sides) side.close();
      });
      const compare = async <Result>(ask: (side: Side) => Promise<Result>, what: string) => {
        const [theirs, ours] = [await ask(sides[0]), await ask(sides[1])];
        expect(ours, what).toEqual(theirs);
      };
      const next = stepMaker();
      for (let count = 1; count <= REQUESTS; count++) {
        const step = next();
        const what = `${count}: ${step.definition.path} ${JSON.stringify(step.request)}`;
        await compare((side) => side.run(step), `${what} by ${step.caller}`);
        if (count % COMPARE_EVERY > 0) continue;
        await compare((side) => side.logIn(), `log-ins after ${count}`);
        await compare((side) => side.state(), `state after ${count}`);
      }
    },
    60_000 + 50 * REQUESTS,
  );
});

function stepMaker(): () => Step {
  const random = seededRandom(7);
  const pick = <Item>(items: readonly Item[]): Item => items[random.integer(items.length)] as Item;
  const permission = (): Permission => {
    const key = pick(KEYS);
    // 3.4 also grants ranges that hold nothing.
    const ends = ENDS.filter((end) => end === '' || end === '\0' || end > key);
    return {
      permType: random.integer(3) as Permission['permType'],
      key: Buffer.from(key),
      rangeEnd: Buffer.from(pick(ends)),
    };
  };
  const range = () => ({ key: Buffer.from(pick(KEYS)), rangeEnd: Buffer.from(pick(ENDS)) });
  const makers: (() => readonly [unknown, Readonly<Record<string, unknown>>])[] = [
    () => [auth.userAdd, { name: pick(USERS), password: 'pw' }],
    () => [auth.userAdd, { name: pick(USERS), password: 'pw' }],
    () => [auth.userDelete, { name: pick(USERS) }],
    () => [auth.userChangePassword, { name: pick(USERS), password: 'pw' }],
    () => [auth.userGrantRole, { user: pick(USERS), role: pick(ROLES) }],
    () => [auth.userGrantRole, { user: pick(USERS), role: pick(ROLES) }],
    () => [auth.userGrantRole, { user: 'root', role: 'root' }],
    () => [auth.userRevokeRole, { name: pick(USERS), role: pick(ROLES) }],
    () => [auth.userGet, { name: pick(USERS) }],
    () => [auth.roleAdd, { name: pick(ROLES) }],
    () => [auth.roleAdd, { name: pick(ROLES) }],
    () => [auth.roleDelete, { role: pick(ROLES) }],
    () => [auth.roleGrantPermission, { name: pick(ROLES), perm: permission() }],
    () => [auth.roleGrantPermission, { name: pick(ROLES), perm: permission() }],
    () => [auth.roleGrantPermission, { name: pick(ROLES), perm: permission() }],
    () => [auth.roleRevokePermission, { role: pick(ROLES), ...range() }],
    () => [auth.authEnable, {}],
    () => (random.integer(4) === 0 ? [auth.authDisable, {}] : [auth.userList, {}]),
    () => [kv.range, range()],
    () => [kv.range, range()],
    () => [kv.put, { key: Buffer.from(pick(KEYS)), prevKv: random.integer(2) === 0 }],
    () => [kv.deleteRange, { ...range(), prevKv: random.integer(2) === 0 }],
  ];
  return () => {
    const [definition, request] = pick(makers)();
    return { definition: definition as Definition, request, caller: pick(CALLERS) };
  };
}
