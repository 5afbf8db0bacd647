import type { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';
import type { KeyspaceModel, ModelChange } from '../support/keyspace-model.js';

/** A step of a transaction. No step of a branch puts or deletes a key that another one does. */
export type Step =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: bigint }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'range'; readonly key: string; readonly end: string };

/** A condition of a transaction: the key is absent, or has that value. */
export interface Condition {
  readonly key: string;
  /** Undefined: the key is absent. */
  readonly value: string | undefined;
}

export interface Put {
  readonly kind: 'put';
  readonly key: string;
  /** Unique among all that is ever put. */
  readonly value: string;
  readonly lease: bigint;
}

export interface Txn {
  readonly kind: 'txn';
  readonly conditions: readonly Condition[];
  readonly success: readonly Step[];
  readonly failure: readonly Step[];
}

export interface Range {
  readonly kind: 'range';
  readonly key: string;
  /** Empty: the one key. */
  readonly end: string;
  readonly isSerializable: boolean;
  /** 0: the current one. */
  readonly revision: number;
}

/** What a client asks for. */
export type Operation =
  | Put
  | { readonly kind: 'delete'; readonly key: string; readonly end: string }
  | Txn
  | Range
  | { readonly kind: 'compact'; readonly revision: number }
  | { readonly kind: 'grant'; readonly lease: bigint; readonly ttlSeconds: number }
  | { readonly kind: 'revoke'; readonly lease: bigint }
  | { readonly kind: 'keepAlive'; readonly lease: bigint };

/** What a server answered. */
export interface Answer {
  /** Of the response header. */
  readonly revision: number;
  /** What it says besides, as text to be compared. */
  readonly content: string;
}

/** What happened to an operation, as its client saw it. */
export type Outcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Refused: it has not happened and never will. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nobody knows whether it happened, or will. */
  | { readonly kind: 'unknown' };

/** An operation in a history. Times are virtual ms. */
export interface OperationRecord {
  readonly client: string;
  readonly operation: Operation;
  readonly start: number;
  /** When the client learnt of the outcome. */
  end: number;
  outcome: Outcome;
}

/** What an operation does to a keyspace and answers. */
export interface Effect {
  readonly changes: readonly ModelChange[];
  readonly content: string;
}

/** Carries an operation out on a model, without changing it. */
export function effectOn(model: KeyspaceModel, operation: Operation): Effect {
  switch (operation.kind) {
    case 'put': {
      const { key, value, lease } = operation;
      return { changes: [{ kind: 'put', key, value, lease }], content: '' };
    }
    case 'delete': {
      const keys = model.keysIn(operation.key, operation.end);
      return {
        changes: keys.map((key) => ({ kind: 'delete', key })),
        content: String(keys.length),
      };
    }
    case 'range':
      return { changes: [], content: showRange(new TxnView(model), operation.key, operation.end) };
    case 'txn':
      return txnEffect(model, operation);
    default:
      return { changes: [], content: '' };
  }
}

function txnEffect(model: KeyspaceModel, { conditions, success, failure }: Txn): Effect {
  const succeeded = conditions.every(({ key, value }) => textOf(model.live.get(key)) === value);
  const view = new TxnView(model);
  const contents = (succeeded ? success : failure).map((step) => takeStep(view, step));
  return { changes: view.changes, content: [succeeded, ...contents].join(';') };
}

function takeStep(view: TxnView, step: Step): string {
  switch (step.kind) {
    case 'put':
      view.put(step);
      return 'put';
    case 'delete':
      return String(view.delete(step.key));
    case 'range':
      return showRange(view, step.key, step.end);
  }
}

function textOf(keyValue: KeyValue | undefined): string | undefined {
  return keyValue?.value.toString('latin1');
}

/** The keyspace as the steps of a transaction see it, their own changes included. */
class TxnView {
  readonly #model: KeyspaceModel;
  readonly changes: ModelChange[] = [];
  readonly #changed = new Map<string, KeyValue | undefined>();

  constructor(model: KeyspaceModel) {
    this.#model = model;
  }

  put({ key, value, lease }: Extract<Step, { kind: 'put' }>): void {
    const revision = this.#model.currentRevision + 1;
    const before = this.#model.live.get(key);
    this.#changed.set(key, {
      key: Buffer.from(key, 'latin1'),
      value: Buffer.from(value, 'latin1'),
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      version: (before?.version ?? 0) + 1,
      lease,
    });
    this.changes.push({ kind: 'put', key, value, lease });
  }

  delete(key: string): number {
    if (this.#model.live.get(key) === undefined) return 0;
    this.#changed.set(key, undefined);
    this.changes.push({ kind: 'delete', key });
    return 1;
  }

  range(key: string, end: string): KeyValue[] {
    const keys = new Set(this.#model.keysIn(key, end));
    for (const changed of this.#changed.keys()) {
      if (end === '' ? changed === key : changed >= key && changed < end) keys.add(changed);
    }
    return [...keys].sort().flatMap((found) => {
      const keyValue = this.#changed.has(found)
        ? this.#changed.get(found)
        : this.#model.live.get(found);
      return keyValue === undefined ? [] : [keyValue];
    });
  }
}

function showRange(view: TxnView, key: string, end: string): string {
  return showKeyValues(view.range(key, end));
}

export function showKeyValues(keyValues: readonly KeyValue[]): string {
  return keyValues.map(showKeyValue).join(' ');
}

/** Everything of a KeyValue. */
export function showKeyValue(keyValue: KeyValue): string {
  const { key, value, createRevision, modRevision, version, lease } = keyValue;
  const name = key.toString('latin1');
  return `${name}=${value.toString('latin1')}(${createRevision},${modRevision},${version},${lease})`;
}

/** An operation in one line. */
function showOperation(operation: Operation): string {
  const { kind, ...rest } = operation;
  return `${kind} ${JSON.stringify(rest, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`;
}

export function showRecord({ client, operation, start, end, outcome }: OperationRecord): string {
  const told =
    outcome.kind === 'answered'
      ? `revision ${outcome.answer.revision} ${outcome.answer.content}`
      : outcome.kind === 'refused'
        ? `refused: ${outcome.reason}`
        : 'unknown';
  return `${client} [${start.toFixed(1)}..${end.toFixed(1)}] ${showOperation(operation)} -> ${told}`;
}
