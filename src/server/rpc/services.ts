import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { PasswordHasher } from '../../platform/password-hasher.js';
import type { Random } from '../../platform/random.js';
import type { TokenProvider } from '../auth/token-provider.js';
import type { LocalMember } from '../local-member.js';
import type { MembershipAdmin } from '../membership/membership-admin.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { authService } from './auth-service.js';
import { Callers } from './callers.js';
import { clusterService } from './cluster-service.js';
import { electionService } from './election-service.js';
import { healthService } from './health-service.js';
import { kvService } from './kv-service.js';
import { leaseService } from './lease-service.js';
import { LocalCalls } from './local-calls.js';
import { lockService } from './lock-service.js';
import { maintenanceService } from './maintenance-service.js';
import type { OpenStreams } from './open-streams.js';
import type { RpcMethod } from './transport.js';
import { watchService } from './watch-service.js';

/** What gRPC adds to the largest request in a message, bytes (reference: server 8). */
export const MESSAGE_OVERHEAD_BYTES = 512 * 1024;

export interface ServicesOptions {
  readonly member: LocalMember;
  readonly membership: MembershipAdmin;
  readonly watches: WatchHub;
  readonly clock: Clock;
  readonly random: Random;
  readonly maxTxnOps: number;
  readonly maxRequestBytes: number;
  readonly watchProgressMillis: number;
  /** Ends the streams when the server stops. */
  readonly streams: OpenStreams;
  readonly logger: Logger;
  readonly tokens: TokenProvider;
  readonly passwordHasher: PasswordHasher;
  /** Of new password hashes, 4 to 31. */
  readonly bcryptCost: number;
  /** Whether the name in a verified client certificate names the user. */
  readonly trustsCertificates: boolean;
}

/** Every method that clients of a member may call. */
export function clientServices(options: ServicesOptions): RpcMethod[] {
  const { member, watches, clock, random, maxTxnOps, maxRequestBytes, streams } = options;
  const callers = newCallers(options);
  const services = streams.track([
    ...kvService({ member, callers, maxTxnOps, maxRequestBytes }),
    ...watchService({
      hub: watches,
      callers,
      authorizer: member.authorizer,
      clock,
      random,
      encodeHeader: (revision) => member.encodeHeader(revision),
      progressIntervalMillis: options.watchProgressMillis,
      fragmentLimitBytes: maxRequestBytes + MESSAGE_OVERHEAD_BYTES,
    }),
    ...leaseService(member, callers),
    ...clusterService({ member, membership: options.membership, callers }),
    ...maintenanceService(member, callers, options.logger.at('rpc/maintenance-service.ts')),
    ...authService({ ...options, callers }),
    ...healthService(),
  ]);
  // Locks and elections are made of the other services; their own watches end with the server too.
  const calls = new LocalCalls(services);
  return [...services, ...lockService(calls), ...streams.track(electionService(calls))];
}

/** Finds out who makes the calls of a member. */
export function newCallers({
  member,
  tokens,
  clock,
  trustsCertificates,
}: Pick<ServicesOptions, 'member' | 'tokens' | 'clock' | 'trustsCertificates'>): Callers {
  return new Callers({
    auth: member.auth,
    authorizer: member.authorizer,
    tokens,
    clock,
    appliedIndex: () => member.appliedIndex,
    timeoutMillis: member.requestTimeoutMillis,
    trustsCertificates,
  });
}
