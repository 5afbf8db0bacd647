import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { PasswordHasher } from '../../platform/password-hasher.js';
import { GrpcCode, RpcError } from '../../proto/errors.js';
import { InternalAuthenticateRequest } from '../../proto/gen/etcdserverpb/raft_internal.js';
import type {
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { type RpcDefinition, SERVICES } from '../../proto/services.js';
import { isStorableKey, MAX_KEY_BYTES } from '../../storage/backend/backend.js';
import type { AuthKind, RequestOf, ResultOf } from '../apply/requests.js';
import { type LogInOptions, logIn } from '../auth/log-in.js';
import { LoginLimiter } from '../auth/login-limiter.js';
import { PasswordWork, requireHashable } from '../auth/password-work.js';
import type { TokenProvider } from '../auth/token-provider.js';
import type { LocalMember } from '../local-member.js';
import { LOWEST_CLUSTER_VERSION } from '../membership/cluster-version.js';
import type { Callers } from './callers.js';
import { unaryMethod } from './methods.js';
import type { CallContext, RpcMethod } from './transport.js';

export interface AuthServiceOptions {
  readonly member: LocalMember;
  readonly callers: Callers;
  readonly tokens: TokenProvider;
  readonly passwordHasher: PasswordHasher;
  /** Of new password hashes, 4 to 31. */
  readonly bcryptCost: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** etcdserverpb.Auth: everything goes through the log, questions too (reference: api 17). */
export function authService(options: AuthServiceOptions): RpcMethod[] {
  const { member } = options;
  const { auth: definitions } = SERVICES;
  const passwords = new PasswordWork(options.passwordHasher, options.bcryptCost);
  const log = new AuthLog(options);
  const change = <Kind extends AuthKind>(
    definition: RpcDefinition<RequestOf<Kind>, HeaderOnly, 'unary'>,
    kind: Kind,
    prepare: (request: RequestOf<Kind>, context: CallContext) => Promise<RequestOf<Kind>> = async (
      request,
    ) => request,
  ): RpcMethod =>
    unaryMethod(definition, async (request, context) => {
      const prepared = await prepare(request, context);
      const payload = definition.request.encode(prepared).finish();
      const { revision } = await log.propose(kind, prepared, payload, context);
      return { header: member.header(revision) };
    });
  return [
    change(definitions.authEnable, 'authEnable'),
    change(definitions.authDisable, 'authDisable'),
    change(definitions.userAdd, 'authUserAdd', async (request, context) => {
      requireStorableName(request.name);
      return hashAddedPassword(options, passwords, request, context);
    }),
    change(definitions.userDelete, 'authUserDelete'),
    change(definitions.userChangePassword, 'authUserChangePassword', (request, context) =>
      hashChangedPassword(options, passwords, request, context),
    ),
    change(definitions.userGrantRole, 'authUserGrantRole'),
    change(definitions.userRevokeRole, 'authUserRevokeRole'),
    change(definitions.roleAdd, 'authRoleAdd', async (request) => {
      requireStorableName(request.name);
      return request;
    }),
    change(definitions.roleDelete, 'authRoleDelete'),
    change(definitions.roleGrantPermission, 'authRoleGrantPermission'),
    change(definitions.roleRevokePermission, 'authRoleRevokePermission'),
    ...questions(options, log),
    authenticate(options, passwords),
  ];
}

type HeaderOnly = { header: ReturnType<LocalMember['header']> | undefined };

/** Puts requests through the log in the name of whoever makes the call. */
class AuthLog {
  readonly #options: AuthServiceOptions;

  constructor(options: AuthServiceOptions) {
    this.#options = options;
  }

  async propose<Kind extends AuthKind>(
    kind: Kind,
    request: RequestOf<Kind>,
    payload: Uint8Array,
    context: CallContext,
  ): Promise<ResultOf<Kind>> {
    const { member, callers } = this.#options;
    return member.propose(kind, request, payload, await callers.of(context));
  }
}

/** The state of authentication without the log. */
async function localStatus(
  { member, callers }: Pick<AuthServiceOptions, 'member' | 'callers'>,
  context: CallContext,
) {
  await callers.of(context);
  await member.linearizableRead();
  const { enabled, revision: authRevision } = member.auth;
  return { header: member.header(), enabled, authRevision };
}

function questions(options: AuthServiceOptions, log: AuthLog): RpcMethod[] {
  const { auth: definitions } = SERVICES;
  const { member } = options;
  const { authStatus, userGet, userList, roleGet, roleList } = definitions;
  return [
    unaryMethod(authStatus, async (request, context) => {
      // Trap: a 3.4 ends with a panic when it finds the question in the log.
      if (!member.cluster.isAtLeast(3, 5)) return localStatus(options, context);
      const payload = authStatus.request.encode(request).finish();
      const result = await log.propose('authStatus', request, payload, context);
      const { revision, enabled, authRevision } = result;
      return { header: member.header(revision), enabled, authRevision };
    }),
    unaryMethod(userGet, async (request, context) => {
      const payload = userGet.request.encode(request).finish();
      const { revision, roles } = await log.propose('authUserGet', request, payload, context);
      return { header: member.header(revision), roles };
    }),
    unaryMethod(userList, async (request, context) => {
      const payload = userList.request.encode(request).finish();
      const { revision, users } = await log.propose('authUserList', request, payload, context);
      return { header: member.header(revision), users };
    }),
    unaryMethod(roleGet, async (request, context) => {
      const payload = roleGet.request.encode(request).finish();
      const result = await log.propose('authRoleGet', request, payload, context);
      return { header: member.header(result.revision), perm: result.permissions };
    }),
    unaryMethod(roleList, async (request, context) => {
      const payload = roleList.request.encode(request).finish();
      const { revision, roles } = await log.propose('authRoleList', request, payload, context);
      return { header: member.header(revision), roles };
    }),
  ];
}

/** The one method that nobody needs an identity for: the log names no caller either. */
function authenticate(options: AuthServiceOptions, passwords: PasswordWork): RpcMethod {
  const { member, tokens, clock, logger } = options;
  const logInOptions: LogInOptions = {
    auth: member.auth,
    passwords,
    limiter: new LoginLimiter(clock),
    logger: logger.at('etcdserver/v3_server.go'),
    async propose(name) {
      const request = { name, password: '', simpleToken: tokens.newPrefix() };
      const payload = InternalAuthenticateRequest.encode(request).finish();
      const { token } = await member.propose('authenticate', request, payload);
      return token;
    },
  };
  return unaryMethod(SERVICES.auth.authenticate, async ({ name, password }, { peer }) => {
    await member.linearizableRead();
    const token = await logIn(logInOptions, { name, password, address: hostOf(peer) });
    return { header: member.header(), token };
  });
}

/**
 * Whether a member of 3.4 may be there. Trap: it does not know that a password may come hashed, and
 * would let in whoever gives none; as among its like, each member hashes the password itself.
 */
function hashesAtApply({ member: { cluster } }: Pick<AuthServiceOptions, 'member'>): boolean {
  const { version } = cluster;
  const isDecided = version !== undefined && version !== LOWEST_CLUSTER_VERSION;
  return isDecided && !cluster.isAtLeast(3, 5);
}

/** Trap: without `no_password` even an empty password is hashed. */
async function hashAddedPassword(
  { callers, member }: AuthServiceOptions,
  passwords: PasswordWork,
  request: AuthUserAddRequest,
  context: CallContext,
): Promise<AuthUserAddRequest> {
  // Nothing of a password that does not count may reach the log.
  if (request.options?.noPassword === true) return { ...request, password: '', hashedPassword: '' };
  requireHashable(request.password);
  // Whoever may not do this shall not make the server work either.
  await callers.admin(context);
  if (hashesAtApply({ member })) return { ...request, hashedPassword: '' };
  return { ...request, password: '', hashedPassword: await passwords.hash(request.password) };
}

/** Trap: with an empty password a hash that the client made itself goes through as it is. */
async function hashChangedPassword(
  { callers, member }: AuthServiceOptions,
  passwords: PasswordWork,
  request: AuthUserChangePasswordRequest,
  context: CallContext,
): Promise<AuthUserChangePasswordRequest> {
  if (request.password === '') return request;
  requireHashable(request.password);
  await callers.admin(context);
  if (hashesAtApply({ member })) return { ...request, hashedPassword: '' };
  return { ...request, password: '', hashedPassword: await passwords.hash(request.password) };
}

/** A name that is the key of a row must fit; an empty one is refused with etcd's own error later. */
function requireStorableName(name: string): void {
  if (name === '' || isStorableKey(Buffer.from(name))) return;
  throw new RpcError(
    GrpcCode.InvalidArgument,
    `etcdkit: the names of users and roles may have at most ${MAX_KEY_BYTES} bytes`,
  );
}

function hostOf(peer: string): string {
  const colon = peer.lastIndexOf(':');
  return colon < 0 ? peer : peer.slice(0, colon);
}
