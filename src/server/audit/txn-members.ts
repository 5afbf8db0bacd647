import { BinaryReader } from '../../proto/wire/reader.js';
import { type AuditField, bytesField, idField, inMessage, readFields } from './field-scan.js';

const COMPARE = (1 << 3) | 2;
const SUCCESS = (2 << 3) | 2;
const FAILURE = (3 << 3) | 2;
const REQUEST_TXN = (4 << 3) | 2;

const KEY = bytesField(1, 'key');
const RANGE_END = bytesField(2, 'range_end');
const COMPARED = [bytesField(3, 'key'), bytesField(64, 'range_end')];

/** The fields of a RequestOp: what is done, and the fields that say to which keys. */
const OPERATIONS: ReadonlyMap<number, readonly [name: string, fields: readonly AuditField[]]> =
  new Map([
    [(1 << 3) | 2, ['range', [KEY, RANGE_END]]],
    [(2 << 3) | 2, ['put', [KEY, idField(3, 'lease')]]],
    [(3 << 3) | 2, ['delete_range', [KEY, RANGE_END]]],
  ]);

/** What the keys of a transaction are, and what is to be done with them. */
export interface TxnMembers {
  /** `,"operations":[...]` */
  readonly members: string;
  /** Nothing in it, nested or not, writes. */
  readonly isReadOnly: boolean;
}

/**
 * Walks through a transaction with all that is nested in it.
 * @param limit operations that are listed; further ones are only counted
 * @throws DecodeError
 */
export function txnMembers(bytes: Uint8Array, limit: number): TxnMembers {
  const walk = new TxnWalk(new BinaryReader(bytes), limit);
  walk.readTxn('');
  return walk.result();
}

class TxnWalk {
  readonly #reader: BinaryReader;
  readonly #limit: number;
  readonly #operations: string[] = [];
  #leftOut = 0;
  #isReadOnly = true;

  constructor(reader: BinaryReader, limit: number) {
    this.#reader = reader;
    this.#limit = limit;
  }

  result(): TxnMembers {
    const leftOut = this.#leftOut === 0 ? '' : `,"operations_left_out":${this.#leftOut}`;
    return {
      members: `,"operations":[${this.#operations.join(',')}]${leftOut}`,
      isReadOnly: this.#isReadOnly,
    };
  }

  /** @param branch how the transaction is reached from the outermost one: `success/failure` */
  readTxn(branch: string): void {
    const reader = this.#reader;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === COMPARE) {
        inMessage(reader, () => this.#add('compare', branch, COMPARED));
      } else if (tag === SUCCESS || tag === FAILURE) {
        const name = tag === SUCCESS ? 'success' : 'failure';
        const path = branch === '' ? name : `${branch}/${name}`;
        inMessage(reader, () => this.#readOperation(path));
      } else {
        reader.skip(tag);
      }
    }
  }

  /** Of several operations in one message only the last is carried out; all of them are listed. */
  #readOperation(branch: string): void {
    const reader = this.#reader;
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      const operation = OPERATIONS.get(tag);
      if (operation !== undefined) {
        const [name, fields] = operation;
        if (name !== 'range') this.#isReadOnly = false;
        inMessage(reader, () => this.#add(name, branch, fields));
      } else if (tag === REQUEST_TXN) {
        inMessage(reader, () => this.readTxn(branch));
      } else {
        reader.skip(tag);
      }
    }
  }

  #add(name: string, branch: string, fields: readonly AuditField[]): void {
    const members = readFields(this.#reader, fields);
    if (this.#operations.length >= this.#limit) {
      this.#leftOut += 1;
      return;
    }
    const reached = branch === '' ? '' : `,"branch":"${branch}"`;
    this.#operations.push(`{"operation":"${name}"${reached}${members}}`);
  }
}
