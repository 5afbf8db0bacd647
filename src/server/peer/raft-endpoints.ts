import type { IncomingMessage, ServerResponse } from 'node:http';
import { DecodeError } from '../../proto/decode-error.js';
import type { Message } from '../../raft/types.js';
import { remoteAddressOf } from '../http/address.js';
import { reply, replyError, replyNotFound } from '../http/responses.js';
import { formatId } from '../membership/member.js';
import { bodyChunks } from './body-chunks.js';
import type { Delivery } from './delivery.js';
import { decodeMessage } from './message-codec.js';
import type { Peer } from './peer.js';
import type { PeerContext } from './peer-context.js';
import { answerPosted } from './posted-answers.js';
import { headerOf, parseId, refusalOf } from './request-checks.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { STREAM_KINDS } from './stream-codec.js';

const ROOT = '/raft';
const STREAM_PREFIX = '/raft/stream/';
/** Longest message that is posted, bytes. Raft sends no append that is much beyond 1 MiB. */
const MAX_POSTED_BYTES = 512 * 1024 * 1024;

/** Who the transport knows. */
export interface PeerRegistry {
  peer(id: bigint): Peer | undefined;
  addRemote(id: bigint, urls: readonly string[]): void;
  /** Whether it is a peer or a remote. */
  isKnown(id: bigint): boolean;
}

/** Serves what peers ask of the transport: streams, messages, snapshots and probes. */
export class RaftEndpoints {
  readonly #context: PeerContext;
  readonly #delivery: Delivery;
  readonly #registry: PeerRegistry;
  readonly #snapshots: SnapshotReceiver;
  /** Requests that are being worked at. */
  readonly #open = new Map<IncomingMessage, Promise<void>>();

  constructor(context: PeerContext, delivery: Delivery, registry: PeerRegistry) {
    this.#context = context;
    this.#delivery = delivery;
    this.#registry = registry;
    this.#snapshots = new SnapshotReceiver(context, delivery);
  }

  /** Whether a request is for the transport. */
  static isMine(request: IncomingMessage): boolean {
    const path = pathOf(request);
    return path === ROOT || path.startsWith(`${ROOT}/`);
  }

  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (!RaftEndpoints.isMine(request)) return false;
    const path = pathOf(request);
    if (path === ROOT) this.#run(request, response, this.#post(request, response));
    else if (path === '/raft/snapshot')
      this.#run(request, response, this.#snapshot(request, response));
    else if (path === '/raft/probing') this.#probing(response);
    else if (path.startsWith(STREAM_PREFIX)) this.#stream(request, response, path);
    else replyNotFound(response);
    return true;
  }

  /** Gives up what is still coming in. Resolves when no request is being worked at. */
  async stop(): Promise<void> {
    for (const request of this.#open.keys()) {
      if (!request.complete) request.destroy(new Error('stopping'));
    }
    await Promise.all(this.#open.values());
  }

  #run(request: IncomingMessage, response: ServerResponse, work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        this.#context.logger.warn('failed to process Raft message', {
          'local-member-id': this.#context.localId,
          error: String(error),
        });
        response.destroy();
      })
      .then(() => {
        this.#open.delete(request);
      });
    this.#open.set(request, done);
  }

  #probing(response: ServerResponse): void {
    const now = new Date(this.#context.clock.wallMillis()).toISOString();
    // Go's sniffing of the content calls it plain text.
    reply(response, 200, `{"OK":true,"Now":"${now}"}\n`, {
      'Content-Type': 'text/plain; charset=utf-8',
    });
  }

  #stream(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { serverVersion, clusterId } = this.#context;
    if (!isMethod('GET', request, response)) return;
    // Trap: a dialer takes a member whose response has no version for one of 2.0.
    response.setHeader('X-Server-Version', serverVersion);
    response.setHeader('X-Etcd-Cluster-ID', clusterId);
    const refusal = refusalOf(this.#context, request);
    if (refusal !== undefined) {
      replyError(response, 412, refusal);
      return;
    }
    const slash = path.lastIndexOf('/');
    const kind = STREAM_KINDS.find((name) => STREAM_PREFIX + name === path.slice(0, slash));
    if (kind === undefined) {
      replyError(response, 404, 'invalid path');
      return;
    }
    const from = parseId(path.slice(slash + 1));
    if (from === undefined) {
      replyError(response, 404, 'invalid from');
      return;
    }
    const peer = this.#peerFor(from, request, response);
    if (peer === undefined) return;
    response.writeHead(200);
    response.flushHeaders();
    peer.attach(kind, response);
  }

  /** The peer that may have a stream. Undefined: the request has been answered. */
  #peerFor(from: bigint, request: IncomingMessage, response: ServerResponse): Peer | undefined {
    const { logger, receiver, localId, clusterId } = this.#context;
    const facts = {
      'local-member-id': localId,
      'remote-peer-id-stream-handler': localId,
      'remote-peer-id-from': formatId(from),
    };
    if (receiver.isRemoved(from)) {
      logger.warn('rejected stream from remote peer because it was removed', facts);
      replyError(response, 410, 'removed member');
      return undefined;
    }
    const peer = this.#registry.peer(from);
    if (peer === undefined) {
      this.#addRemote(from, request);
      logger.warn('failed to find remote peer in cluster', { ...facts, 'cluster-id': clusterId });
      replyError(response, 404, 'error sender not found');
      return undefined;
    }
    const to = headerOf(request, 'x-raft-to');
    if (to !== localId) {
      logger.warn('ignored streaming request; ID mismatch', {
        ...facts,
        'remote-peer-id-header': to,
        'cluster-id': clusterId,
      });
      replyError(response, 412, 'to field mismatch');
      return undefined;
    }
    return peer;
  }

  /** Checks what is common to all that is posted. False: the request has been answered. */
  #admit(request: IncomingMessage, response: ServerResponse): boolean {
    if (!isMethod('POST', request, response)) return false;
    response.setHeader('X-Etcd-Cluster-ID', this.#context.clusterId);
    const refusal = refusalOf(this.#context, request);
    if (refusal !== undefined) {
      replyError(response, 412, refusal);
      return false;
    }
    const from = parseId(headerOf(request, 'x-server-from'));
    if (from !== undefined) this.#addRemote(from, request);
    return true;
  }

  #addRemote(from: bigint, request: IncomingMessage): void {
    const urls = headerOf(request, 'x-peerurls');
    if (urls !== '') this.#registry.addRemote(from, urls.split(','));
  }

  /** The sender of a request as metrics name it. */
  #senderOf(request: IncomingMessage): string {
    const from = parseId(headerOf(request, 'x-server-from'));
    if (from !== undefined && this.#registry.isKnown(from)) return formatId(from);
    return remoteAddressOf(request.socket).replace(/:\d+$/, '');
  }

  async #post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#admit(request, response)) return;
    const message = await this.#readMessage(request, response);
    if (message === undefined) return;
    answerPosted(response, this.#delivery.deliver(message));
  }

  /** Undefined: there is none, and the request has been answered. */
  async #readMessage(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Message | undefined> {
    const { logger, metrics, localId } = this.#context;
    const sender = this.#senderOf(request);
    try {
      const body = await readWhole(this.#context, request);
      metrics.receivedBytes.with(sender).inc(body.length);
      return decodeMessage(body);
    } catch (error) {
      const isGarbled = error instanceof DecodeError;
      logger.warn(isGarbled ? 'failed to unmarshal Raft message' : 'failed to read Raft message', {
        'local-member-id': localId,
        error: String(error),
      });
      metrics.receivedFailures.with(sender).inc();
      response.setHeader('Connection', 'close');
      replyError(response, 400, `error ${isGarbled ? 'unmarshalling' : 'reading'} raft message`);
      return undefined;
    }
  }

  async #snapshot(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#admit(request, response)) {
      this.#snapshots.countStranger();
      return;
    }
    await this.#snapshots.receive(request, response, this.#senderOf(request));
  }
}

function isMethod(method: 'GET' | 'POST', request: IncomingMessage, response: ServerResponse) {
  if (request.method === method) return true;
  response.setHeader('Allow', method);
  replyError(response, 405, 'Method Not Allowed');
  return false;
}

function pathOf(request: IncomingMessage): string {
  const [path = ''] = (request.url ?? '').split('?', 1);
  return path;
}

/** @throws Error if the body breaks off, or is too long */
async function readWhole(context: PeerContext, request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of bodyChunks(context, request)) {
    bytes += chunk.length;
    if (bytes > MAX_POSTED_BYTES) throw new Error('body too long');
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
}
