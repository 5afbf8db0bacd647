import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import {
  LeaseKeepAliveRequest,
  WatchCreateRequest,
  WatchRequest,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../../src/proto/services.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import { leaseService } from '../../../src/server/rpc/lease-service.js';
import { drained } from '../../../src/server/rpc/methods.js';
import { OpenStreams } from '../../../src/server/rpc/open-streams.js';
import type { CallContext, RpcMethod, ServerStream } from '../../../src/server/rpc/transport.js';
import { watchService } from '../../../src/server/rpc/watch-service.js';
import { WatchHub } from '../../../src/server/watch/watch-hub.js';
import { openToAll } from '../../support/callers.js';

/** A stream whose client reads only when the test says so. */
class ManualStream implements ServerStream {
  readonly abort = new AbortController();
  readonly context: CallContext;
  readonly sent: Uint8Array[] = [];
  reads = false;
  ended: { readonly error: unknown } | undefined;
  #onMessage: (message: Buffer) => void = () => {};
  #onDrain: () => void = () => {};
  readonly #onClose: (() => void)[] = [];

  constructor() {
    const { signal } = this.abort;
    const metadata = { get: () => undefined };
    this.context = { method: '', metadata, peer: '', deadlineMillis: undefined, signal };
  }

  receive(message: Uint8Array): void {
    this.#onMessage(Buffer.from(message));
  }

  drain(): void {
    this.#onDrain();
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#onMessage = listener;
  }

  onHalfClose(): void {}

  onClose(listener: () => void): void {
    this.#onClose.push(listener);
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  send(message: Uint8Array): boolean {
    this.sent.push(message);
    return this.reads;
  }

  end(error?: unknown): void {
    if (this.ended !== undefined) return;
    this.ended = { error };
    for (const listener of this.#onClose) listener();
  }
}

function streamHandler(
  methods: readonly RpcMethod[],
  path: string,
): (stream: ServerStream) => void {
  const method = methods.find((candidate) => candidate.path === path);
  if (method === undefined || method.kind === 'unary') throw new Error(`no stream ${path}`);
  return method.handle;
}

describe('a client that reads slowly', () => {
  it('leaves no listener behind for each time it was waited for', async () => {
    const stream = new ManualStream();
    const { signal } = stream.context;
    for (let i = 0; i < 50; i++) {
      const waiting = drained(stream, signal);
      stream.drain();
      await waiting;
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const last = drained(stream, signal);
    stream.abort.abort();
    await last;
    await drained(stream, signal);
  });

  it('is renewed leases for as fast as it reads the answers', async () => {
    const member = {
      header: () => ({ clusterId: 1n, memberId: 1n, revision: 1, raftTerm: 1 }),
      leases: { renew: async () => 10 },
    } as unknown as LocalMember;
    const stream = new ManualStream();
    const { path } = SERVICES.lease.leaseKeepAlive;
    streamHandler(leaseService(member, openToAll().callers), path)(stream);
    const request = LeaseKeepAliveRequest.encode({ ID: 1n }).finish();
    for (let i = 0; i < 1000; i++) stream.receive(request);
    await nextTurn();
    expect(stream.sent).toHaveLength(1);
    stream.drain();
    await nextTurn();
    expect(stream.sent).toHaveLength(2);
    stream.reads = true;
    stream.drain();
    await nextTurn();
    expect(stream.sent).toHaveLength(1000);
    stream.end();
  });

  it('cannot make a watch stream grow without end', async () => {
    const hub = new WatchHub({
      history: {
        currentRevision: 1,
        compactRevision: -1,
        changesFrom: () => [],
        keyValueAt: () => undefined,
      },
      clock: nodeClock,
    });
    const methods = watchService({
      hub,
      ...openToAll(),
      clock: nodeClock,
      random: seededRandom(1),
      encodeHeader: () => Buffer.alloc(0),
      progressIntervalMillis: 60_000,
      fragmentLimitBytes: 1024,
    });
    const stream = new ManualStream();
    streamHandler(methods, SERVICES.watch.watch.path)(stream);
    const value = WatchCreateRequest.create({ key: Buffer.from('k'), startRevision: -1 });
    const requestUnion = { $case: 'createRequest' as const, value };
    const request = WatchRequest.encode({ requestUnion }).finish();
    for (let i = 0; i < 200_000 && stream.ended === undefined; i++) stream.receive(request);
    expect(String(stream.ended?.error)).toContain('too many watch requests');
    await nextTurn();
  });
});

describe('OpenStreams', () => {
  it('forgets a stream whose handler threw', () => {
    const streams = new OpenStreams();
    const [method] = streams.track([
      {
        path: '/x',
        kind: 'bidiStream',
        handle: () => {
          throw new Error('no');
        },
      },
    ]);
    if (method === undefined || method.kind === 'unary') throw new Error('not a stream');
    const stream = new ManualStream();
    expect(() => method.handle(stream)).toThrow('no');
    stream.end(new Error('no'));
    stream.ended = undefined;
    streams.endAll(new Error('stopped'));
    expect(stream.ended).toBeUndefined();
  });
});
