import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from '../base/logger.js';
import { ETCD_VERSION } from '../base/version.js';
import { etcdError } from '../proto/errors.js';
import type { ServerConfig } from './config/server-config.js';
import type { VersionSource } from './http/http-handler.js';
import { replyError, replyNotFound } from './http/responses.js';
import type { LocalMember } from './local-member.js';
import type { MembershipAdmin } from './membership/membership-admin.js';
import type { ServerMetrics } from './metrics/server-metrics.js';
import { HttpPeerCalls } from './peer/http-peer-calls.js';
import { httpPeerTransport, type PeerTransportHolder } from './peer/http-peer-transport.js';
import { memberLocalAddress } from './peer/local-address.js';
import { PeerAgents } from './peer/peer-agent.js';
import type { PeerCalls } from './peer/peer-calls.js';
import {
  createPeerEndpoints,
  type PeerEndpointSource,
  type PeerHandler,
} from './peer/peer-endpoints.js';
import type { CreatePeerTransport } from './peer/peer-transport.js';
import type { ServerPlatform } from './platform.js';
import type { Callers } from './rpc/callers.js';
import type { ListenerTls } from './tls/tls-acceptor.js';

/** Time beside an election timeout that connecting to a peer may take, ms. */
const DIAL_MILLIS = 1000;

export interface PeerSideOptions {
  readonly config: ServerConfig;
  readonly platform: Pick<ServerPlatform, 'clock' | 'readConfigFile'>;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  /** The TLS of the peer listeners, if they have any. */
  readonly tls: ListenerTls | undefined;
}

/** What peers are told of, and by whom. */
export interface ServedMember {
  readonly member: LocalMember;
  readonly membership: MembershipAdmin;
  readonly versions: VersionSource;
  /** Finds out who asked the peer that asks this member. */
  readonly callers: Callers;
}

/** Everything between a server and its peers: connections to them, and what they ask of it. */
export class PeerSide {
  readonly calls: PeerCalls;
  readonly #options: PeerSideOptions;
  readonly #agents: PeerAgents;
  readonly #transport: PeerTransportHolder;
  #endpoints: PeerHandler | undefined;
  #clusterId: bigint | undefined;

  /** @throws Error `unexpected TLS cipher suite "X"` */
  constructor(options: PeerSideOptions) {
    this.#options = options;
    const { config, platform, logger, metrics, tls } = options;
    const { clock } = platform;
    const dialTimeoutMillis = DIAL_MILLIS + config.electionMillis;
    this.#agents = new PeerAgents({
      clock,
      dialTimeoutMillis,
      localAddress: config.features.SetMemberLocalAddr
        ? memberLocalAddress(config.advertisePeerUrls, logger)
        : undefined,
      tls: {
        config: config.peerTls,
        listenerPair: tls?.source,
        readFile: platform.readConfigFile,
        ...serverName(config),
      },
    });
    this.calls = new HttpPeerCalls({
      clock,
      requestOptions: this.#agents.requestOptions,
      clusterId: () => this.#clusterId,
    });
    this.#transport = httpPeerTransport({
      clock,
      logger,
      metrics: metrics.peers,
      agents: this.#agents,
      advertisedPeerUrls: config.advertisePeerUrls.map(({ text }) => text),
      serverVersion: ETCD_VERSION,
      dialTimeoutMillis,
      readTimeoutMillis: config.raftReadTimeoutMillis,
      writeTimeoutMillis: config.raftWriteTimeoutMillis,
    });
  }

  readonly createTransport: CreatePeerTransport = (identity, receiver) => {
    this.#clusterId = identity.clusterId;
    return this.#transport.createTransport(identity, receiver);
  };

  /** Serves the peer listeners. */
  readonly handle: RequestListener = (request: IncomingMessage, response: ServerResponse) => {
    if (this.#transport.handle(request, response)) return;
    if (this.#endpoints === undefined) replyError(response, 503, 'the member is not running');
    else if (!this.#endpoints(request, response)) replyNotFound(response);
  };

  /** From now on peers get answers of this member. */
  serve(served: ServedMember): void {
    const { platform, logger } = this.#options;
    this.#endpoints = createPeerEndpoints({
      source: endpointSource(served),
      clock: platform.clock,
      logger,
    });
  }

  async close(): Promise<void> {
    await this.calls.close();
    this.#agents.close();
  }
}

/** A cluster that is found by its domain may have certificates for the domain alone. */
function serverName({ discovery, peerTls }: ServerConfig): { readonly serverName?: string } {
  return discovery?.kind === 'dns' && peerTls.trustedCaFile === ''
    ? { serverName: discovery.domain }
    : {};
}

function endpointSource({
  member,
  membership,
  versions,
  callers,
}: ServedMember): PeerEndpointSource {
  return {
    clusterId: member.cluster.id,
    versions,
    members: () => member.cluster.members(),
    async promote(id, authorization) {
      const { signal } = new AbortController();
      await callers.adminWithToken(authorization, signal);
      return membership.promote(id, authorization, signal);
    },
    waitApplied: (timeoutMillis) => member.whenApplied(timeoutMillis),
    renewLease: (id, signal) => member.leases.renewHere(id, signal),
    leaseTimeToLive(id, wantsKeys) {
      if (!member.lessor.isPrimary) throw etcdError('NotPrimaryLessor');
      const time = member.leases.timeToLiveHere(id, wantsKeys);
      if (time === undefined) throw etcdError('LeaseNotFound');
      return { id, ...time };
    },
    linearizableRead: () => member.linearizableRead(),
    isDowngrading: () => member.cluster.downgradeTarget !== undefined,
    hashKeyValues: (revision) => member.store.hashKeyValues(revision),
  };
}
