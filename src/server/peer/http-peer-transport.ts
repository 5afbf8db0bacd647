import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Message } from '../../raft/types.js';
import { parseMemberUrl } from '../config/urls.js';
import { replyError } from '../http/responses.js';
import { formatId } from '../membership/member.js';
import { Delivery } from './delivery.js';
import { Peer, Remote } from './peer.js';
import { createContext, type HttpPeerTransportOptions, type PeerContext } from './peer-context.js';
import type {
  CreatePeerTransport,
  PeerIdentity,
  PeerReceiver,
  PeerTransport,
  SnapshotDatabase,
} from './peer-transport.js';
import { RaftEndpoints } from './raft-endpoints.js';

export type { HttpPeerTransportOptions } from './peer-context.js';

/** Senders that are not members here; more are not answered by messages. */
const MAX_REMOTES = 128;

/**
 * Etcd's way between members: two streams in each direction, POSTs where there is no stream, and
 * snapshots beside them.
 * Source: reference, raft-and-peers B1 to B4.
 */
export class HttpPeerTransport implements PeerTransport {
  readonly #context: PeerContext;
  readonly #delivery: Delivery;
  readonly #endpoints: RaftEndpoints;
  readonly #peers = new Map<bigint, Peer>();
  readonly #remotes = new Map<bigint, Remote>();
  /** Those that have got messages since the last flush. */
  readonly #unflushed = new Set<Peer>();
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: HttpPeerTransportOptions, identity: PeerIdentity, receiver: PeerReceiver) {
    const logger = options.logger.at('peer/http-peer-transport.ts');
    this.#context = createContext({ ...options, logger }, identity, receiver);
    this.#delivery = new Delivery(this.#context);
    this.#endpoints = new RaftEndpoints(this.#context, this.#delivery, {
      peer: (id) => this.#peers.get(id),
      addRemote: (id, urls) => this.addRemote(id, urls),
      isKnown: (id) => this.#peers.has(id) || this.#remotes.has(id),
    });
    const { metrics, localId } = this.#context;
    metrics.known.with(localId, localId).set(1);
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    for (const peer of this.#peers.values()) peer.start();
  }

  /** Serves `/raft` and what is below it. False: the request is for somebody else. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#state === 'running') return this.#endpoints.handle(request, response);
    if (!RaftEndpoints.isMine(request)) return false;
    replyError(response, 503, 'the member is not running');
    return true;
  }

  send(messages: readonly Message[]): void {
    if (this.#state === 'stopped') return;
    for (const message of messages) {
      const peer = this.#peers.get(message.to);
      if (peer === undefined) {
        this.#sendToStranger(message);
      } else {
        peer.send(message);
        this.#unflushed.add(peer);
      }
    }
    for (const peer of this.#unflushed) peer.flush();
    this.#unflushed.clear();
  }

  sendSnapshot(message: Message, database: SnapshotDatabase): void {
    const peer = this.#peers.get(message.to);
    if (peer !== undefined && this.#state !== 'stopped') {
      peer.sendSnapshot(message, database);
      return;
    }
    database.close();
    this.#context.receiver.reportSnapshot(message.to, false);
  }

  addPeer(id: bigint, peerUrls: readonly string[]): void {
    if (this.#state === 'stopped' || this.#peers.has(id)) return;
    const urls = this.#usableUrls(id, peerUrls);
    if (urls.length === 0) return;
    this.#remotes.get(id)?.stop();
    this.#remotes.delete(id);
    const { metrics, logger, localId } = this.#context;
    const peer = new Peer(this.#context, id, urls, this.#delivery);
    this.#peers.set(id, peer);
    metrics.known.with(localId, formatId(id)).set(1);
    if (this.#state === 'running') peer.start();
    logger.info('added remote peer', {
      'local-member-id': localId,
      'remote-peer-id': formatId(id),
      'remote-peer-urls': peerUrls,
    });
  }

  addRemote(id: bigint, peerUrls: readonly string[]): void {
    if (this.#state === 'stopped' || id === this.#context.identity.memberId) return;
    if (this.#peers.has(id) || this.#remotes.has(id)) return;
    const urls = this.#usableUrls(id, peerUrls);
    if (urls.length === 0) return;
    const { logger, localId } = this.#context;
    const facts = { 'local-member-id': localId, 'remote-peer-id': formatId(id) };
    if (this.#remotes.size >= MAX_REMOTES) {
      logger.warn('ignored new remote peer: there are too many', facts);
      return;
    }
    this.#remotes.set(id, new Remote(this.#context, id, urls));
    logger.info('added new remote peer', { ...facts, 'remote-peer-urls': peerUrls });
  }

  updatePeer(id: bigint, peerUrls: readonly string[]): void {
    const peer = this.#peers.get(id);
    const urls = this.#usableUrls(id, peerUrls);
    if (peer === undefined || urls.length === 0) return;
    peer.update(urls);
    const { logger, localId } = this.#context;
    logger.info('updated remote peer', {
      'local-member-id': localId,
      'updated-remote-peer-id': formatId(id),
      'updated-remote-peer-urls': peerUrls,
    });
  }

  removePeer(id: bigint): void {
    this.#remotes.get(id)?.stop();
    this.#remotes.delete(id);
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    peer.stop();
    const { metrics, logger, localId } = this.#context;
    metrics.known.with(localId, formatId(id)).set(0);
    logger.info('removed remote peer', {
      'local-member-id': localId,
      'removed-remote-peer-id': formatId(id),
    });
  }

  removeAllPeers(): void {
    for (const id of [...this.#peers.keys()]) this.removePeer(id);
  }

  activeSince(id: bigint): number | undefined {
    return this.#peers.get(id)?.status.activeSince;
  }

  stop(): Promise<void> {
    if (this.#state !== 'stopped') {
      this.#state = 'stopped';
      for (const remote of this.#remotes.values()) remote.stop();
      for (const peer of this.#peers.values()) peer.stop();
      this.#remotes.clear();
      this.#peers.clear();
    }
    return this.#endpoints.stop();
  }

  #sendToStranger(message: Message): void {
    const remote = this.#remotes.get(message.to);
    if (remote !== undefined) {
      remote.send(message);
      return;
    }
    this.#context.logger.debug('ignored message send request; unknown remote peer target', {
      type: message.type,
      'unknown-target-peer-id': formatId(message.to),
    });
  }

  #usableUrls(id: bigint, urls: readonly string[]): string[] {
    return urls.flatMap((url) => {
      try {
        return [parseMemberUrl(url).text];
      } catch (error) {
        this.#context.logger.warn('ignored a malformed URL of a remote peer', {
          'remote-peer-id': formatId(id),
          url,
          error: String(error),
        });
        return [];
      }
    });
  }
}

/** The transport of a member that is built later than its listeners. */
export interface PeerTransportHolder {
  readonly createTransport: CreatePeerTransport;
  /** Serves `/raft` and what is below it. False: the request is for somebody else. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
}

/** For the composition root: what makes the transport, and the handler for the peer listeners. */
export function httpPeerTransport(options: HttpPeerTransportOptions): PeerTransportHolder {
  let transport: HttpPeerTransport | undefined;
  return {
    createTransport(identity, receiver) {
      transport = new HttpPeerTransport(options, identity, receiver);
      return transport;
    },
    handle(request, response) {
      if (transport !== undefined) return transport.handle(request, response);
      if (!RaftEndpoints.isMine(request)) return false;
      replyError(response, 503, 'the member is not running');
      return true;
    },
  };
}
