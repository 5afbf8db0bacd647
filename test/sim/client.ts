import type { Random } from '../../src/platform/random.js';
import { sendOperation } from './connection.js';
import type { SimulatedMember } from './member.js';
import type { SimulatedNetwork } from './network.js';
import type { Operation, OperationRecord, Step } from './operations.js';
import type { Profile } from './profile.js';

/** How long a client waits for an answer, ms. */
const TIMEOUT_MILLIS = 2500;
/** A lease that outlives every run. */
export const LONG_TTL_SECONDS = 100_000;

export interface ClientOptions {
  readonly name: string;
  readonly profile: Profile;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly members: () => readonly SimulatedMember[];
  readonly records: OperationRecord[];
}

/** A client that does one thing after another, at whichever member it finds. */
export class SimulatedClient {
  readonly #options: ClientOptions;
  /** What it believes the keys to hold. */
  readonly #known = new Map<string, string>();
  readonly #leases: bigint[] = [];
  #member: SimulatedMember | undefined;
  #count = 0;
  #revision = 1;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Works until that virtual time. */
  async work(until: number): Promise<void> {
    const { profile, network, random } = this.#options;
    while (network.scheduler.now < until) {
      await network.scheduler.sleep(random.float() * profile.thinkMillis);
      await this.send(this.#next(), this.#choose());
    }
  }

  /** Sends one operation, and takes down what becomes of it. */
  async send(operation: Operation, member: SimulatedMember): Promise<OperationRecord> {
    const { name, network, records } = this.#options;
    const { scheduler } = network;
    const record: OperationRecord = {
      client: name,
      operation,
      start: scheduler.now,
      end: Number.POSITIVE_INFINITY,
      outcome: { kind: 'unknown' },
    };
    records.push(record);
    record.outcome = await sendOperation(network, member, operation, TIMEOUT_MILLIS);
    record.end = scheduler.now;
    this.#learn(record);
    return record;
  }

  /** A member, mostly the one of before, mostly one that serves. */
  #choose(): SimulatedMember {
    const { random, members } = this.#options;
    const all = members();
    if (this.#member?.isServing && random.integer(4) > 0) return this.#member;
    const serving = all.filter(({ isServing }) => isServing);
    const from = serving.length > 0 && random.integer(8) > 0 ? serving : all;
    this.#member = from[random.integer(from.length)] as SimulatedMember;
    return this.#member;
  }

  #learn({ operation, outcome }: OperationRecord): void {
    if (operation.kind === 'put' && outcome.kind === 'answered') {
      this.#known.set(operation.key, operation.value);
    }
    if (operation.kind === 'range' && operation.end === '' && outcome.kind === 'answered') {
      const value = /=(.*)\(/.exec(outcome.answer.content)?.[1];
      if (value === undefined) this.#known.delete(operation.key);
      else this.#known.set(operation.key, value);
    }
    if (operation.kind === 'grant') this.#leases.push(operation.lease);
    if (outcome.kind === 'answered') {
      this.#revision = Math.max(this.#revision, outcome.answer.revision);
    }
  }

  #next(): Operation {
    const { random, profile } = this.#options;
    if (random.integer(100) < profile.readShare) return this.#read();
    const roll = random.integer(100);
    if (profile.usesLeases && roll < 30) return this.#leaseOperation();
    if (profile.usesCompaction && roll < 36) {
      return { kind: 'compact', revision: Math.max(1, this.#revision - random.integer(10)) };
    }
    if (roll < 65) return this.#put(this.#key(), 0n);
    if (roll < 75) {
      const key = this.#key();
      return { kind: 'delete', key, end: random.integer(4) === 0 ? 'k~' : '' };
    }
    return roll < 88 ? this.#swap() : this.#move();
  }

  #read(): Operation {
    const { random } = this.#options;
    const isAll = random.integer(4) === 0;
    return {
      kind: 'range',
      key: isAll ? 'k' : this.#key(),
      end: isAll ? 'm' : '',
      isSerializable: random.integer(5) === 0,
      revision: random.integer(10) === 0 ? Math.max(1, this.#revision - random.integer(5)) : 0,
    };
  }

  #put(key: string, lease: bigint): Extract<Operation, { kind: 'put' }> {
    return { kind: 'put', key, value: this.#value(), lease };
  }

  /** Compare and swap. */
  #swap(): Operation {
    const key = this.#key();
    return {
      kind: 'txn',
      conditions: [{ key, value: this.#known.get(key) }],
      success: [this.#put(key, 0n)],
      failure: [{ kind: 'range', key, end: '' }],
    };
  }

  /** Several keys at once. */
  #move(): Operation {
    const { random } = this.#options;
    const [from, to] = [this.#key(), this.#key()];
    const success: Step[] = [{ kind: 'range', key: from, end: '' }, this.#put(to, 0n)];
    if (from !== to) success.push({ kind: 'delete', key: from });
    success.push({ kind: 'range', key: 'k', end: 'l' });
    return {
      kind: 'txn',
      conditions: [{ key: from, value: this.#known.get(from) }],
      success,
      failure: random.integer(2) === 0 ? [this.#put(this.#key(), 0n)] : [],
    };
  }

  #leaseOperation(): Operation {
    const { random } = this.#options;
    const lease = this.#leases[random.integer(this.#leases.length)];
    const roll = random.integer(10);
    if (lease === undefined || roll < 2) {
      const ttlSeconds = random.integer(2) === 0 ? LONG_TTL_SECONDS : 1 + random.integer(3);
      return { kind: 'grant', lease: BigInt(1 + random.integer(2 ** 40)), ttlSeconds };
    }
    // Known for a while after its end, so that keys are put under leases that are gone.
    if (this.#leases.length > 4) this.#leases.shift();
    if (roll < 7) return this.#put(`lease/${random.integer(4)}`, lease);
    return roll < 8 ? { kind: 'revoke', lease } : { kind: 'keepAlive', lease };
  }

  #key(): string {
    const { random, profile } = this.#options;
    return `k${random.integer(profile.keys)}`;
  }

  #value(): string {
    return `${this.#options.name}.${this.#count++}`;
  }
}
