import {
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequest,
  RangeRequest,
  TxnRequest,
  WatchCreateRequest,
  WatchRequest,
} from '../../src/proto/gen/etcdserverpb/rpc.js';

export const KEY_PREFIX = 'bench/';
const KEY_DIGITS = 10;
const KEY_LENGTH = KEY_PREFIX.length + KEY_DIGITS;
export const VALUE_LENGTH = 256;
/** Coprime with every key count used here (powers of ten), so that i -> i * STRIDE permutes them. */
const STRIDE = 7_368_787;
const EMPTY = Buffer.alloc(0);

/** Which request a load consists of. */
export type RequestShape =
  /** A health check: the cost of a call that does nothing. */
  | { readonly type: 'empty' }
  | { readonly type: 'put'; readonly keyCount: number }
  /** Puts a key that did not exist before: if its create revision is 0, put it, else get it. */
  | { readonly type: 'txn'; readonly firstKey: number }
  | { readonly type: 'get'; readonly keyCount: number; readonly serializable: boolean }
  | { readonly type: 'range'; readonly keyCount: number; readonly width: number };

/** Makes the requests of one load: one message whose keys are overwritten in place. */
export interface RequestMaker {
  /** Full gRPC method. */
  readonly method: string;
  /** The message for request number `sequence`; valid until the next call. */
  make(sequence: number): Buffer;
}

export function benchKey(index: number): Buffer {
  return Buffer.from(KEY_PREFIX + String(index).padStart(KEY_DIGITS, '0'), 'latin1');
}

/** Neither compressible nor the same for all keys: the first eight octets are the sequence number. */
export function benchValue(sequence: number): Buffer {
  const value = Buffer.alloc(VALUE_LENGTH);
  let state = 0x2545f491;
  for (let position = 0; position < VALUE_LENGTH; position += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    value.writeInt32LE(state, position);
  }
  value.writeDoubleBE(sequence, 0);
  return value;
}

export function requestMaker(shape: RequestShape): RequestMaker {
  switch (shape.type) {
    case 'empty':
      return { method: '/grpc.health.v1.Health/Check', make: () => EMPTY };
    case 'put':
      return new TemplateMaker(
        '/etcdserverpb.KV/Put',
        PutRequest.encode(PutRequest.create({ key: benchKey(0), value: benchValue(0) })).finish(),
        (sequence) => scatter(sequence, shape.keyCount),
      );
    case 'get':
      return new TemplateMaker(
        '/etcdserverpb.KV/Range',
        RangeRequest.encode(
          RangeRequest.create({ key: benchKey(0), serializable: shape.serializable }),
        ).finish(),
        (sequence) => scatter(sequence, shape.keyCount),
      );
    case 'range':
      return new RangeMaker(shape.keyCount, shape.width);
    case 'txn':
      return new TemplateMaker(
        '/etcdserverpb.KV/Txn',
        txnTemplate(),
        (sequence) => shape.firstKey + sequence,
      );
  }
}

/** Creates a watcher of all keys of the benchmark. */
export function watchCreateMessage(): Buffer {
  const value = WatchCreateRequest.create({
    key: Buffer.from(KEY_PREFIX),
    rangeEnd: Buffer.from(`${KEY_PREFIX.slice(0, -1)}0`),
  });
  return Buffer.from(
    WatchRequest.encode({ requestUnion: { $case: 'createRequest', value } }).finish(),
  );
}

function scatter(sequence: number, keyCount: number): number {
  return (sequence * STRIDE) % keyCount;
}

function txnTemplate(): Uint8Array {
  const key = benchKey(0);
  const put = PutRequest.create({ key, value: benchValue(0) });
  const get = RangeRequest.create({ key });
  return TxnRequest.encode({
    compare: [
      {
        result: Compare_CompareResult.EQUAL,
        target: Compare_CompareTarget.CREATE,
        key,
        targetUnion: { $case: 'createRevision', value: 0 },
        rangeEnd: Buffer.alloc(0),
      },
    ],
    success: [{ request: { $case: 'requestPut', value: put } }],
    failure: [{ request: { $case: 'requestRange', value: get } }],
  }).finish();
}

/** Overwrites every key, and the number at the start of the value if there is one. */
class TemplateMaker implements RequestMaker {
  readonly method: string;
  readonly #message: Buffer;
  readonly #keyIndex: (sequence: number) => number;
  readonly #digits: readonly number[];
  readonly #valueAt: number;

  constructor(method: string, message: Uint8Array, keyIndex: (sequence: number) => number) {
    this.method = method;
    this.#message = Buffer.from(message);
    this.#keyIndex = keyIndex;
    this.#digits = keyDigitOffsets(this.#message);
    this.#valueAt = this.#message.indexOf(benchValue(0));
  }

  make(sequence: number): Buffer {
    const index = this.#keyIndex(sequence);
    for (const offset of this.#digits) writeDigits(this.#message, offset, index);
    if (this.#valueAt >= 0) this.#message.writeDoubleBE(sequence, this.#valueAt);
    return this.#message;
  }
}

/** Ranges of `width` consecutive keys that start anywhere. */
class RangeMaker implements RequestMaker {
  readonly method = '/etcdserverpb.KV/Range';
  readonly #message: Buffer;
  readonly #starts: number;
  readonly #width: number;
  readonly #keyAt: number;
  readonly #endAt: number;

  constructor(keyCount: number, width: number) {
    if (keyCount < width)
      throw new RangeError(`${keyCount} keys are too few for ranges of ${width}`);
    this.#width = width;
    this.#starts = keyCount - width + 1;
    this.#message = Buffer.from(
      RangeRequest.encode(
        RangeRequest.create({ key: benchKey(0), rangeEnd: benchKey(0) }),
      ).finish(),
    );
    const [keyAt = 0, endAt = 0] = keyDigitOffsets(this.#message);
    this.#keyAt = keyAt;
    this.#endAt = endAt;
  }

  make(sequence: number): Buffer {
    const start = scatter(sequence, this.#starts);
    writeDigits(this.#message, this.#keyAt, start);
    writeDigits(this.#message, this.#endAt, start + this.#width);
    return this.#message;
  }
}

function keyDigitOffsets(message: Buffer): number[] {
  const offsets: number[] = [];
  const key = benchKey(0);
  for (let at = message.indexOf(key); at >= 0; at = message.indexOf(key, at + KEY_LENGTH)) {
    offsets.push(at + KEY_PREFIX.length);
  }
  return offsets;
}

function writeDigits(message: Buffer, offset: number, index: number): void {
  let rest = index;
  for (let digit = KEY_DIGITS - 1; digit >= 0; digit--) {
    const next = Math.floor(rest / 10);
    message[offset + digit] = 48 + rest - next * 10;
    rest = next;
  }
}
