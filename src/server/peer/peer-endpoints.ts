import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import { isEtcdError } from '../../proto/errors.js';
import { serveVersion, type VersionSource } from '../http/http-handler.js';
import { allowOnly, allowOnlyGet, reply, replyError, replyText } from '../http/responses.js';
import { encodeMembers, formatId, type Member } from '../membership/member.js';
import { type LeaseSource, renewal, serveLease, timeToLive } from './lease-endpoints.js';
import { CLUSTER_ID_HEADER, PEER_PATHS, PEER_TEXTS } from './peer-paths.js';
import { readBody } from './request-body.js';

/** What peers ask a member for. */
export interface PeerEndpointSource extends LeaseSource {
  readonly clusterId: bigint;
  readonly versions: VersionSource;
  /** As known here, by ascending id. */
  members(): readonly Member[];
  /**
   * Promotes a learner; asks no other member.
   * @param authorization the token of the caller, if there is one
   * @throws EtcdError MemberNotFound, MemberNotLearner, LearnerNotReady, and others
   */
  promote(id: bigint, authorization: string | undefined): Promise<readonly Member[]>;
  /** @throws EtcdError LeaderChanged, Timeout, Stopped */
  linearizableRead(): Promise<void>;
  /** Whether the cluster is on its way to the version before. */
  isDowngrading(): boolean;
  /**
   * @param revision 0: the current one
   * @throws EtcdError Compacted, FutureRev
   */
  hashKeyValues(revision: number): Promise<{
    readonly revision: number;
    readonly currentRevision: number;
    readonly compactRevision: number;
    readonly hash: number;
  }>;
}

/** False: the request is for somebody else, and nothing has been done with it. */
export type PeerHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface PeerEndpointsOptions {
  readonly source: PeerEndpointSource;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly logger: Logger;
}

type Endpoint = (
  options: PeerEndpointsOptions,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  [PEER_PATHS.members, serveMembers],
  [PEER_PATHS.version, ({ source }, ...exchange) => serveVersion(source.versions, ...exchange)],
  [
    PEER_PATHS.leases,
    (options, ...exchange) => serveLease(options, renewal(options.source), ...exchange),
  ],
  [
    PEER_PATHS.leasesInternal,
    (options, ...exchange) => serveLease(options, timeToLive(options.source), ...exchange),
  ],
  [PEER_PATHS.downgradeEnabled, serveDowngrade],
  [PEER_PATHS.hashKeyValues, serveHash],
]);

/**
 * Answers the questions of peers, all but those of Raft itself: members, promotion, version, leases,
 * downgrade, hashes (reference: raft-and-peers B1).
 */
export function createPeerEndpoints(options: PeerEndpointsOptions): PeerHandler {
  return (request, response) => {
    const path = pathOf(request);
    const endpoint = path.startsWith(PEER_PATHS.promote) ? servePromotion : ENDPOINTS.get(path);
    if (endpoint === undefined) return false;
    const serve = async (): Promise<void> => endpoint(options, request, response);
    serve().catch((error: unknown) => {
      options.logger.warn('failed to answer a peer', { path, error: textOf(error) });
      if (response.headersSent) response.destroy();
      else replyJson(response, 500, '{"message":"Internal Server Error"}');
    });
    return true;
  };
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?', 1)[0] ?? '';
}

function serveMembers(
  { source }: PeerEndpointsOptions,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (!allowOnlyGet(request.method, response)) return;
  tellCluster(source, response);
  replyJson(response, 200, `${encodeMembers(source.members())}\n`);
}

async function servePromotion(
  { source }: PeerEndpointsOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!allowOnly('POST', request.method, response)) return;
  tellCluster(source, response);
  const text = pathOf(request).slice(PEER_PATHS.promote.length);
  const id = parseId(text);
  if (id === undefined) {
    replyError(response, 404, `member ${text} not found in cluster`);
    return;
  }
  try {
    const members = await source.promote(id, request.headers.authorization);
    replyJson(response, 200, `${encodeMembers(members)}\n`);
  } catch (error) {
    if (isEtcdError(error, 'MemberNotFound')) {
      replyError(response, 404, PEER_TEXTS.memberNotFound);
    } else if (isEtcdError(error, 'MemberNotLearner')) {
      replyError(response, 412, PEER_TEXTS.memberNotLearner);
    } else if (isEtcdError(error, 'LearnerNotReady')) {
      replyError(response, 412, PEER_TEXTS.learnerNotReady);
    } else {
      throw error;
    }
  }
}

async function serveDowngrade(
  { source }: PeerEndpointsOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!allowOnlyGet(request.method, response)) return;
  tellCluster(source, response);
  try {
    await source.linearizableRead();
  } catch (error) {
    replyError(response, 500, `failed linearized read: ${textOf(error)}`);
    return;
  }
  // Trap: a newline would be no answer to etcd.
  replyText(response, 200, String(source.isDowngrading()));
}

async function serveHash(
  { source, clock }: PeerEndpointsOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!allowOnlyGet(request.method, response)) return;
  const asked = request.headers[CLUSTER_ID_HEADER.toLowerCase()];
  if (asked !== undefined && asked !== '' && asked !== formatId(source.clusterId)) {
    replyError(response, 412, PEER_TEXTS.clusterIdMismatch);
    return;
  }
  // Trap: a GET with a body.
  const body = await readBody(clock, request, response);
  if (body === undefined) return;
  const revision = parseRevision(body.toString());
  if (revision === undefined) {
    replyError(response, 400, 'error unmarshalling request');
    return;
  }
  try {
    const result = await source.hashKeyValues(revision);
    tellCluster(source, response);
    replyJson(response, 200, hashAnswer(result));
  } catch (error) {
    if (isEtcdError(error, 'Compacted')) replyError(response, 400, PEER_TEXTS.compacted);
    else if (isEtcdError(error, 'FutureRev')) replyError(response, 400, PEER_TEXTS.futureRevision);
    else replyError(response, 400, textOf(error));
  }
}

type Hash = Awaited<ReturnType<PeerEndpointSource['hashKeyValues']>>;

/** Go leaves out what is 0. */
function hashAnswer({ currentRevision, hash, compactRevision, revision }: Hash): string {
  return JSON.stringify({
    header: { revision: currentRevision || undefined },
    hash: hash || undefined,
    compact_revision: compactRevision || undefined,
    hash_revision: revision || undefined,
  });
}

/** Undefined: this is no question for a hash. */
function parseRevision(text: string): number | undefined {
  try {
    const question: unknown = JSON.parse(text);
    if (question === null) return 0;
    if (typeof question !== 'object' || Array.isArray(question)) return undefined;
    const { revision = 0 } = question as { readonly revision?: unknown };
    if (revision === null) return 0;
    return Number.isSafeInteger(revision) ? Number(revision) : undefined;
  } catch {
    return undefined;
  }
}

const MAX_ID = 2n ** 64n - 1n;

function parseId(text: string): bigint | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const id = BigInt(text);
  return id > MAX_ID ? undefined : id;
}

function tellCluster(source: PeerEndpointSource, response: ServerResponse): void {
  response.setHeader(CLUSTER_ID_HEADER, formatId(source.clusterId));
}

function replyJson(response: ServerResponse, status: number, body: string): void {
  reply(response, status, body, { 'Content-Type': 'application/json' });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
