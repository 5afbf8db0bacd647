import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { asBuffer } from '../../../src/base/bytes.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { etcdError } from '../../../src/proto/errors.js';
import {
  WatchCancelRequest,
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../../src/proto/services.js';
import type { Caller } from '../../../src/server/auth/caller.js';
import type { Callers } from '../../../src/server/rpc/callers.js';
import { LocalStream } from '../../../src/server/rpc/local-stream.js';
import { watchService } from '../../../src/server/rpc/watch-service.js';
import { WatchHub } from '../../../src/server/watch/watch-hub.js';
import { openToAll } from '../../support/callers.js';

const encode = (requestUnion: WatchRequest['requestUnion']) =>
  asBuffer(WatchRequest.encode({ requestUnion }).finish());
const create = (watchId: bigint) =>
  encode({
    $case: 'createRequest',
    value: WatchCreateRequest.create({ key: Buffer.from('k'), watchId }),
  });
const cancel = (watchId: bigint) =>
  encode({ $case: 'cancelRequest', value: WatchCancelRequest.create({ watchId }) });

function deferred() {
  let resolve: (caller: Caller) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<Caller>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** A watch stream whose requests wait for `callers`. */
function open(callers: (Caller | Promise<Caller>)[]) {
  const hub = new WatchHub({
    history: {
      currentRevision: 1,
      compactRevision: -1,
      changesFrom: () => [],
      keyValueAt: () => undefined,
    },
    clock: nodeClock,
  });
  const [method] = watchService({
    hub,
    clock: nodeClock,
    random: seededRandom(1),
    encodeHeader: () => Buffer.alloc(0),
    progressIntervalMillis: 60_000,
    fragmentLimitBytes: 1024,
    authorizer: openToAll().authorizer,
    callers: { enabled: true, of: () => callers.shift() } as unknown as Callers,
  });
  if (method === undefined || method.kind === 'unary') throw new Error('no watch method');
  const { path } = SERVICES.watch.watch;
  const metadata = { get: () => undefined };
  const stream = new LocalStream(
    { method: path, metadata, peer: '', deadlineMillis: undefined },
    undefined,
  );
  method.handle(stream);
  return stream;
}

describe('a watch stream that waits for its caller', () => {
  it('keeps the order of its requests', async () => {
    const known: Caller = { username: 'u', authRevision: 1 };
    const first = deferred();
    const second = deferred();
    const stream = open([first.promise, second.promise, known]);
    for (const request of [create(5n), cancel(5n), create(6n), create(7n), cancel(6n)]) {
      stream.request(request);
    }
    first.resolve(known);
    await nextTurn();
    second.reject(etcdError('InvalidAuthToken'));
    const answers: string[] = [];
    for await (const bytes of stream) {
      const { watchId, created, canceled, cancelReason } = WatchResponse.decode(bytes);
      answers.push(`${watchId} ${created ? '+' : ''}${canceled ? '-' : ''} ${cancelReason}`.trim());
      if (answers.length === 4) break;
    }
    expect(answers).toEqual([
      '5 +',
      '5 -',
      '-1 +- rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
      '7 +',
    ]);
    stream.close();
  });
});
