import { type KeyText, keyText } from '../../../base/bytes.js';
import type { RangeRequest } from '../../../proto/gen/etcdserverpb/rpc.js';
import { bytesFieldsSize } from '../../../proto/wire/fields.js';
import type { RangeEnd } from '../../../storage/mvcc/key-range.js';
import type { MvccStore } from '../../../storage/mvcc/store.js';
import { arrange, type RangeResult } from './range.js';

/** Keys of the first message. */
const FIRST_CHUNK_KEYS = 10;
/** Keys of a message at most: what is read in one turn of the event loop. etcd has no such bound. */
const MAX_CHUNK_KEYS = 4096;

/** One message of a stream; the last one completes it. */
export interface RangeChunk {
  readonly keyValues: readonly Buffer[];
  /** Set on the last message only, which alone has header, more and count. */
  readonly summary: Omit<RangeResult, 'keyValues'> | undefined;
}

/** What stays the same from the first message on. */
interface PinnedRange {
  /** For the header. */
  readonly revision: number;
  /** The revision read at. */
  readonly atRevision: number;
  readonly count: number;
}

/**
 * A range in pieces, all of one revision (reference: semantics 3.3, api 10.3). The request must have
 * passed checkRangeStreamRequest. Between two chunks any number of turns may pass.
 *
 * A sort target without an order is allowed and sorts within each chunk, as in etcd; which chunk a
 * key is in follows from its name. Trap: etcd goes on after the last key as sorted, so that keys
 * come twice or never.
 */
export class RangeStream {
  readonly #store: MvccStore;
  readonly #request: RangeRequest;
  readonly #rangeEnd: RangeEnd;
  readonly #maxRequestBytes: number;
  /** The first key not sent yet. */
  #nextKey: KeyText;
  #chunkKeys = FIRST_CHUNK_KEYS;
  /** What the overall limit leaves. */
  #remaining: number;
  #pinned: PinnedRange | undefined;
  #isDone = false;

  /** `maxRequestBytes` (--max-request-bytes) guides the size of the chunks. */
  constructor(store: MvccStore, request: RangeRequest, maxRequestBytes: number) {
    this.#store = store;
    this.#request = request;
    this.#rangeEnd = keyText(request.rangeEnd);
    this.#maxRequestBytes = maxRequestBytes;
    this.#nextKey = keyText(request.key);
    this.#remaining = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
  }

  /**
   * The next message, undefined after the last.
   *
   * @throws EtcdError FutureRev, Compacted; also Compacted if the revision is compacted meanwhile
   */
  next(): RangeChunk | undefined {
    if (this.#isDone) {
      return undefined;
    }
    this.#pinned ??= this.#pin();
    const { revision, count } = this.#pinned;
    if (this.#request.countOnly) {
      this.#isDone = true;
      return { keyValues: [], summary: { revision, more: false, count } };
    }
    const { keyValues, more } = this.#read(this.#pinned.atRevision);
    this.#isDone = !more || this.#remaining === 0;
    return { keyValues, summary: this.#isDone ? { revision, more, count } : undefined };
  }

  #pin(): PinnedRange {
    const { reader } = this.#store;
    const atRevision = reader.resolveRevision(this.#request.revision);
    const count = reader.count(this.#nextKey, this.#rangeEnd, atRevision);
    return { revision: reader.revision, atRevision, count };
  }

  #read(pinnedRevision: number): { keyValues: Buffer[]; more: boolean } {
    const { reader } = this.#store;
    const atRevision = reader.resolveRevision(pinnedRevision);
    const limit = Math.min(this.#chunkKeys, this.#remaining);
    const entries = reader.select(this.#nextKey, this.#rangeEnd, atRevision, limit + 1);
    const chunk = entries.slice(0, limit);
    const more = entries.length > limit;
    if (more) {
      this.#nextKey = entries[limit]?.key ?? this.#nextKey;
    }
    this.#remaining -= chunk.length;
    const keyValues = arrange(reader, chunk, this.#request, chunk.length);
    this.#resize(bytesFieldsSize(keyValues));
    return { keyValues, more };
  }

  /** Steers the chunks towards half to twice the largest request. */
  #resize(chunkBytes: number): void {
    if (chunkBytes < this.#maxRequestBytes / 2) {
      this.#chunkKeys = Math.min(MAX_CHUNK_KEYS, this.#chunkKeys * 2);
    } else if (chunkBytes > this.#maxRequestBytes * 2) {
      this.#chunkKeys = Math.max(1, Math.floor(this.#chunkKeys / 2));
    }
  }
}
