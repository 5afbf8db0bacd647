import {
  optionalBigintFieldSize,
  optionalNumberFieldSize,
  writeOptionalBigintField,
  writeOptionalNumberField,
} from '../wire/fields.js';

/**
 * Encodes etcdserverpb.ResponseHeader for one member. The ids never change, so they are encoded
 * once; and as a member answers many requests at one revision and term, the last header is kept.
 */
export class ResponseHeaderEncoder {
  private readonly ids: Buffer;
  private lastRevision = -1;
  private lastTerm = -1;
  private last: Buffer;

  constructor(clusterId: bigint, memberId: bigint) {
    const ids = Buffer.alloc(
      optionalBigintFieldSize(clusterId) + optionalBigintFieldSize(memberId),
    );
    const offset = writeOptionalBigintField(ids, 0, 1, clusterId);
    writeOptionalBigintField(ids, offset, 2, memberId);
    this.ids = ids;
    this.last = ids;
  }

  /**
   * The header message. A revision of 0 is left out, as in replies of the Cluster service
   * (reference: api 6). The buffer is shared with later callers: copy it, never change it.
   */
  encode(revision: number, raftTerm: number): Buffer {
    if (revision === this.lastRevision && raftTerm === this.lastTerm) {
      return this.last;
    }
    const size =
      this.ids.length + optionalNumberFieldSize(revision) + optionalNumberFieldSize(raftTerm);
    const buffer = Buffer.allocUnsafe(size);
    buffer.set(this.ids);
    const offset = writeOptionalNumberField(buffer, this.ids.length, 3, revision);
    writeOptionalNumberField(buffer, offset, 4, raftTerm);
    this.lastRevision = revision;
    this.lastTerm = raftTerm;
    this.last = buffer;
    return buffer;
  }
}

/** A header that carries a revision alone, as the operations inside a transaction do. */
export function encodeRevisionHeader(revision: number): Buffer {
  const buffer = Buffer.allocUnsafe(optionalNumberFieldSize(revision));
  writeOptionalNumberField(buffer, 0, 3, revision);
  return buffer;
}
