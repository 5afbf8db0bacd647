import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { Client } from '../../src/client/client.js';
import { REAL_ENVIRONMENT, REAL_ETCDCTL } from './real-programs.js';

/** How long a write may take before its writer goes on with another, ms. */
const WRITE_MILLIS = 1000;
/** Pause of a writer after a failure, ms. */
const PAUSE_MILLIS = 10;
const VERIFY_MILLIS = 20_000;
/** Different keys among many writes. */
const MANY_KEYS = 5000;

/** Puts a key; the result is the revision of the answer. Rejects if there is none. */
export type Writer = (key: string, value: string) => Promise<number>;

/** Writes through our client. */
export function clientWriter(client: Client): Writer {
  return async (key, value) => {
    const request = { key: Buffer.from(key), value: Buffer.from(value) };
    const { header } = await client.kv.put(request, {
      deadlineMillis: client.deadlineIn(WRITE_MILLIS),
    });
    return header?.revision ?? -1;
  };
}

/** Writes through the real etcdctl, one process a write. */
export function etcdctlWriter(endpoints: readonly string[]): Writer {
  return async (key, value) => {
    const { stdout } = await promisify(execFile)(
      REAL_ETCDCTL,
      [
        `--endpoints=${endpoints.join()}`,
        `--command-timeout=${WRITE_MILLIS}ms`,
        '--write-out=json',
        'put',
        key,
        value,
      ],
      { env: REAL_ENVIRONMENT },
    );
    const answer = JSON.parse(stdout) as { header: { revision: number } };
    return answer.header.revision;
  };
}

/** Puts a number of keys; each put is one entry of the log. Rejects if one fails. */
export async function writeMany(client: Client, count: number, concurrency = 200): Promise<void> {
  let left = count;
  const write = async (): Promise<void> => {
    while (left > 0) {
      const key = Buffer.from(`many/${left-- % MANY_KEYS}`);
      await client.kv.put({ key, value: Buffer.from(`value ${left}`) });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, write));
}

/** Writers that put one new key after another, and what became of each. */
export class AcknowledgedLoad {
  readonly #prefix: string;
  readonly #acknowledged = new Map<string, number>();
  readonly #unanswered = new Set<string>();
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  /** Key and revision of each acknowledged write. */
  get acknowledged(): ReadonlyMap<string, number> {
    return this.#acknowledged;
  }

  get unansweredCount(): number {
    return this.#unanswered.size;
  }

  /** Lets a writer write until {@link stop}. */
  add(writer: Writer, concurrency = 1): void {
    for (let count = 0; count < concurrency; count++) {
      this.#running.push(this.#run(`${this.#prefix}${this.#running.length}/`, writer));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  /** Each acknowledged write is there, once, at its revision, and nothing that nobody sent. */
  async verify(client: Client): Promise<void> {
    const from = Buffer.from(this.#prefix);
    const to = Buffer.from(this.#prefix);
    to[to.length - 1] = (to.at(-1) ?? 0) + 1;
    const { kvs } = await client.kv.range(
      { key: from, rangeEnd: to },
      { deadlineMillis: client.deadlineIn(VERIFY_MILLIS) },
    );
    const found = new Map(kvs.map((keyValue) => [keyValue.key.toString(), keyValue]));
    for (const [key, revision] of this.#acknowledged) {
      const keyValue = found.get(key);
      if (keyValue === undefined) throw new Error(`${key}, written at ${revision}, is lost`);
      const { modRevision, version, value } = keyValue;
      expect({ key, modRevision, version, value: value.toString() }).toEqual({
        key,
        modRevision: revision,
        version: 1,
        value: expectedValue(key),
      });
    }
    for (const [key, { version }] of found) {
      if (this.#acknowledged.has(key)) continue;
      expect(this.#unanswered.has(key), `somebody sent ${key}`).toBe(true);
      expect(version, key).toBe(1);
    }
  }

  async #run(prefix: string, write: Writer): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      const key = `${prefix}${count}`;
      try {
        this.#acknowledged.set(key, await write(key, expectedValue(key)));
      } catch {
        this.#unanswered.add(key);
        await sleep(PAUSE_MILLIS);
      }
    }
  }
}

function expectedValue(key: string): string {
  return `value of ${key}`;
}
