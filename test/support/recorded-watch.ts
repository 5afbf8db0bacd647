import { expect } from 'vitest';
import type { Client } from '../../src/client/client.js';
import { until } from './until.js';

/** A watch on a prefix that lives through the loss of members, and all that it was told. */
export class RecordedWatch {
  readonly #modRevisions = new Map<string, number>();
  #last = 0;
  #failure: unknown;

  /** @param client of several members; the watch ends when it is closed */
  constructor(client: Client, prefix: string) {
    this.#follow(client, prefix).catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Each of these keys was told of once, in the order of their revisions. */
  async verify(written: ReadonlyMap<string, number>): Promise<void> {
    const last = Math.max(...written.values());
    await until('the watch has come to the end', () => {
      return this.#failure !== undefined || this.#last >= last;
    });
    expect(this.#failure).toBeUndefined();
    for (const [key, revision] of written) expect(this.#modRevisions.get(key), key).toBe(revision);
  }

  async #follow(client: Client, prefix: string): Promise<void> {
    const key = Buffer.from(prefix);
    const rangeEnd = Buffer.from(prefix);
    rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) ?? 0) + 1;
    for await (const { events, error } of client.watch.watch({ key, rangeEnd, startRevision: 1 })) {
      if (error !== undefined) throw error;
      for (const { kv } of events) {
        const revision = kv?.modRevision ?? 0;
        if (revision <= this.#last) {
          throw new Error(`revision ${revision} was told of after ${this.#last}`);
        }
        this.#last = revision;
        this.#modRevisions.set(String(kv?.key), revision);
      }
    }
  }
}
