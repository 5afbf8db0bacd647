import {
  LeaseKeepAliveRequest,
  WatchCreateRequest,
  WatchRequest,
  type WatchResponse,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { compact, del, grant, put, putLeased, type Step } from './steps.js';

/** Messages on a stream, and how many answers they have. */
export interface RawStream {
  readonly name: string;
  readonly method: string;
  readonly setup: readonly Step[];
  /** Given the revision after the setup. */
  readonly requests: (revision: number) => readonly Uint8Array[];
  readonly answers: number;
  /** What 3.7 answers instead, with the place in the reference. */
  readonly differs?: {
    readonly because: string;
    readonly answers: readonly Partial<WatchResponse>[];
  };
}

const A = Buffer.from('a');
const Z = Buffer.from('z');
const FROM_KEY = Buffer.from([0]);
const HISTORY = [grant(), put('a', '1'), putLeased('a', '2'), put('b', '3'), del('a')];
/** Revisions from the first of the history to the last. */
const SPAN = 3;

const create = (fields: Partial<WatchCreateRequest>): Uint8Array =>
  WatchRequest.encode({
    requestUnion: { $case: 'createRequest', value: WatchCreateRequest.create(fields) },
  }).finish();

const cancel = (watchId: bigint): Uint8Array =>
  WatchRequest.encode({ requestUnion: { $case: 'cancelRequest', value: { watchId } } }).finish();

const PROGRESS = WatchRequest.encode({
  requestUnion: { $case: 'progressRequest', value: {} },
}).finish();

const NOTHING = WatchRequest.encode({ requestUnion: undefined }).finish();

function watch(
  name: string,
  answers: number,
  requests: RawStream['requests'],
  extras: Partial<Pick<RawStream, 'setup' | 'differs'>> = {},
): RawStream {
  const method = 'etcdserverpb.Watch/Watch';
  return { name: `watch: ${name}`, method, setup: HISTORY, requests, answers, ...extras };
}

function keepAlive(name: string, ids: readonly bigint[]): RawStream {
  return {
    name: `keep-alive: ${name}`,
    method: 'etcdserverpb.Lease/LeaseKeepAlive',
    setup: [grant()],
    requests: () => ids.map((ID) => LeaseKeepAliveRequest.encode({ ID }).finish()),
    answers: ids.length,
  };
}

export const RAW_STREAMS: readonly RawStream[] = [
  watch('a key from now on', 1, () => [create({ key: A })]),
  watch('no key', 1, () => [create({})]),
  watch('a key from its first revision', 2, (at) => [create({ key: A, startRevision: at - SPAN })]),
  watch('with previous values', 2, (at) => [
    create({ key: A, startRevision: at - SPAN, prevKv: true }),
  ]),
  watch('without puts', 2, (at) => [create({ key: A, startRevision: at - SPAN, filters: [0] })]),
  watch('without deletions', 2, (at) => [
    create({ key: A, rangeEnd: Z, startRevision: at - SPAN, filters: [1] }),
  ]),
  watch('by an unknown filter', 2, (at) => [
    create({ key: A, startRevision: at - SPAN, filters: [9 as 0] }),
  ]),
  watch('all keys', 2, (at) => [
    create({ key: FROM_KEY, rangeEnd: FROM_KEY, startRevision: at - SPAN }),
  ]),
  watch('a reversed range', 1, () => [create({ key: Z, rangeEnd: A })]),
  watch('an empty range', 1, () => [create({ key: A, rangeEnd: A })]),
  watch('two keys by ids of the server', 2, () => [create({ key: A }), create({ key: Z })]),
  watch('two keys by ids of the client', 2, () => [
    create({ key: A, watchId: 7n }),
    create({ key: Z, watchId: -3n }),
  ]),
  watch('an id twice', 2, () => [create({ key: A, watchId: 7n }), create({ key: Z, watchId: 7n })]),
  watch('what was compacted', 2, () => [create({ key: A, startRevision: 1 })], {
    setup: [...HISTORY, compact()],
  }),
  watch('the revision of a compaction', 2, (at) => [create({ key: A, startRevision: at })], {
    setup: [...HISTORY, put('a', '4'), compact()],
  }),
  watch('a negative revision', 1, () => [create({ key: A, startRevision: -1 })], {
    differs: {
      because: 'api 13.1: a negative revision is refused in 3.7 and late patches of older lines',
      answers: [
        {
          watchId: -1n,
          created: true,
          canceled: true,
          cancelReason: 'etcdserver: mvcc: required revision has been compacted',
        },
      ],
    },
  }),
  watch('cancel', 2, () => [create({ key: A }), cancel(0n)]),
  watch('cancel what is not there', 2, () => [
    create({ key: A }),
    cancel(9n),
    NOTHING,
    create({ key: A }),
  ]),
  watch('progress of nothing', 1, () => [PROGRESS, create({ key: A })], {
    differs: {
      because: 'api 13.4: before 3.4.25 and 3.5.8 progress was told without a watcher too',
      answers: [{ watchId: 0n, created: true }],
    },
  }),
  watch('progress', 2, () => [create({ key: A }), PROGRESS]),
  keepAlive('a lease', [1234n]),
  keepAlive('a lease that is not there, and one that is', [5n, 1234n, 0n]),
];
