import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { ServiceDiscovery } from '../config/cluster-discovery.js';
import { parseInitialCluster } from '../config/urls.js';
import { clusterText, requireUniqueUrls } from './new-member.js';

/** The highest exponent of the pauses between tries: 2^8 s. */
const MAX_BACKOFF_EXPONENT = 8;

/** A key of the discovery service. */
export interface DiscoveryEntry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
}

/** What the bootstrap needs of the etcd that is the discovery service. */
export interface DiscoveryStore {
  /** All keys with that prefix, and the revision at which they were read. */
  list(prefix: string): Promise<{
    readonly revision: number;
    readonly entries: readonly DiscoveryEntry[];
  }>;
  put(key: string, value: string): Promise<void>;
  /** What is put below the prefix from a revision on; fails when the watch breaks off. */
  watch(prefix: string, fromRevision: number): AsyncIterable<DiscoveryEntry>;
  close(): Promise<void>;
}

/** @throws Error if the settings contradict each other */
export type ConnectDiscovery = (settings: ServiceDiscovery) => Promise<DiscoveryStore>;

/** The discovery service has no place for this member, or no cluster. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
}

/** The own entry in the discovery service. */
export interface DiscoveryRegistration {
  /** Hexadecimal. */
  readonly id: string;
  /** `name=url,name=url`. */
  readonly text: string;
}

interface DiscoveryOptions {
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly logger: Logger;
  readonly connectDiscovery?: ConnectDiscovery;
}

/**
 * Registers this member with the discovery service and waits until the cluster is complete
 * (reference: server 2.5).
 * @returns the peer URLs of the members by their names
 * @throws DiscoveryError with etcd's text
 */
export async function clusterFromDiscovery(
  settings: ServiceDiscovery,
  options: DiscoveryOptions,
  registration: DiscoveryRegistration,
): Promise<Map<string, readonly string[]>> {
  const { connectDiscovery } = options;
  if (connectDiscovery === undefined) throw new Error('there is no way to a discovery service');
  try {
    const store = await connectDiscovery(settings);
    let text: string;
    try {
      text = await new Discovery(store, settings.token, options).join(registration);
    } finally {
      await store.close();
    }
    return clusterOf(text);
  } catch (error) {
    throw new DiscoveryError(
      `failed to join discovery cluster (${error instanceof Error ? error.message : error})`,
      { cause: error },
    );
  }
}

function clusterOf(text: string): Map<string, readonly string[]> {
  let cluster: ReturnType<typeof parseInitialCluster>;
  try {
    cluster = parseInitialCluster(text);
  } catch (error) {
    throw new Error('discovery: invalid peer URL', { cause: error });
  }
  const urls = new Map([...cluster].map(([name, list]) => [name, list.map((url) => url.text)]));
  try {
    requireUniqueUrls(urls);
  } catch (error) {
    throw new Error(`discovery cluster ${clusterText(urls)} has duplicate url`, { cause: error });
  }
  return urls;
}

/** A fault that no other try mends. */
class FinalFault extends Error {}

interface Status {
  readonly size: number;
  readonly members: readonly DiscoveryEntry[];
  readonly revision: number;
}

class Discovery {
  readonly #store: DiscoveryStore;
  readonly #options: DiscoveryOptions;
  readonly #sizeKey: string;
  readonly #membersPrefix: string;

  constructor(store: DiscoveryStore, token: string, options: DiscoveryOptions) {
    this.#store = store;
    this.#options = options;
    this.#sizeKey = `/_etcd/registry/${token}/_config/size`;
    this.#membersPrefix = `/_etcd/registry/${token}/members/`;
  }

  async join({ id, text }: DiscoveryRegistration): Promise<string> {
    const key = `${this.#membersPrefix}${id}`;
    await this.#retrying('cluster status check', () => this.#check(key));
    await this.#retrying('register member itself', () => this.#store.put(key, text));
    const { size, members } = await this.#retrying('wait for other members', async () =>
      this.#wait(await this.#check(key)),
    );
    return members
      .slice(0, size)
      .map(({ value }) => value)
      .join(',');
  }

  /** @throws FinalFault if there is no cluster, or no place in it */
  async #check(ownKey: string): Promise<Status> {
    const size = await this.#size();
    const { revision, entries } = await this.#store.list(this.#membersPrefix);
    const members = inOrder(entries);
    const isIn = members.slice(0, size).some(({ key }) => key === ownKey);
    if (!isIn && members.length >= size) throw new FinalFault('discovery: cluster is full');
    return { size, members, revision };
  }

  async #size(): Promise<number> {
    const { entries } = await this.#store.list(this.#sizeKey);
    const entry = entries.find(({ key }) => key === this.#sizeKey);
    if (entry === undefined) throw new FinalFault('discovery: size key not found');
    const size = /^[+]?\d+$/.test(entry.value) ? Number(entry.value) : 0;
    if (size <= 0 || !Number.isSafeInteger(size)) {
      throw new FinalFault('discovery: size key is bad');
    }
    return size;
  }

  async #wait(status: Status): Promise<Status> {
    const { size, revision } = status;
    const members = new Map(status.members.map((member) => [member.key, member]));
    this.#options.logger.info('waiting for peers from discovery service', {
      'cluster-size': size,
      'found-peers': members.size,
    });
    if (members.size < size) {
      for await (const entry of this.#store.watch(this.#membersPrefix, revision + 1)) {
        members.set(entry.key, entry);
        if (members.size >= size) break;
      }
      if (members.size < size) throw new Error('the watch on the members ended');
    }
    this.#options.logger.info('found all needed peers from discovery service', {
      'found-peers': members.size,
    });
    return { ...status, members: inOrder([...members.values()]) };
  }

  /** Tries until it works: members may be started long before their discovery service is. */
  async #retrying<Result>(what: string, attempt: () => Promise<Result>): Promise<Result> {
    const { clock, logger } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        if (error instanceof FinalFault) throw error;
        const seconds = 2 ** Math.min(tries, MAX_BACKOFF_EXPONENT);
        logger.warn('retry connecting to discovery service', {
          reason: what,
          error: String(error),
          backoff: `${seconds}s`,
        });
        await new Promise<void>((resolve) => clock.setTimer(seconds * 1000, resolve));
      }
    }
  }
}

function inOrder(entries: readonly DiscoveryEntry[]): DiscoveryEntry[] {
  return [...entries].sort((a, b) => a.createRevision - b.createRevision);
}
