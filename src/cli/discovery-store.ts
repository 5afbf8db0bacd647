import { prefixEnd } from '../base/key-range.js';
import { Client } from '../client/client.js';
import { Event_EventType, type KeyValue } from '../proto/gen/mvccpb/kv.js';
import type { DiscoveryEntry, DiscoveryStore } from '../server/bootstrap/v3-discovery.js';
import type { ServiceDiscovery } from '../server/config/cluster-discovery.js';
import { tlsOptions } from './client-config.js';

/**
 * The etcd through which the members of a new cluster find each other (reference: server 2.5).
 * @throws CommandFailure if the TLS material can't be used
 */
export function connectDiscovery(settings: ServiceDiscovery): DiscoveryStore {
  return new ClientDiscoveryStore(discoveryClient(settings), settings.requestTimeoutMillis);
}

function discoveryClient(settings: ServiceDiscovery): Client {
  const tls = tlsOptions(
    {
      cert: settings.certFile,
      key: settings.keyFile,
      cacert: settings.caFile,
      'insecure-transport': settings.isInsecure,
      'insecure-skip-tls-verify': settings.skipsVerification,
    },
    new Set(),
    undefined,
  );
  return new Client({
    endpoints: settings.endpoints,
    dialTimeoutMillis: settings.dialTimeoutMillis,
    keepaliveMillis: settings.keepAliveMillis,
    keepaliveTimeoutMillis: settings.keepAliveTimeoutMillis,
    ...(settings.user === '' ? {} : { user: settings.user, password: settings.password }),
    ...(tls === undefined ? {} : { tls }),
  });
}

class ClientDiscoveryStore implements DiscoveryStore {
  readonly #client: Client;
  readonly #timeoutMillis: number;

  constructor(client: Client, timeoutMillis: number) {
    this.#client = client;
    this.#timeoutMillis = timeoutMillis;
  }

  async list(prefix: string): ReturnType<DiscoveryStore['list']> {
    const response = await this.#client.kv.range(rangeOf(prefix), this.#deadline());
    return { revision: response.header?.revision ?? 0, entries: response.kvs.map(entryOf) };
  }

  async put(key: string, value: string): Promise<void> {
    const request = { key: Buffer.from(key), value: Buffer.from(value) };
    await this.#client.kv.put(request, this.#deadline());
  }

  async *watch(prefix: string, fromRevision: number): AsyncGenerator<DiscoveryEntry> {
    const watcher = this.#client.watch.watch({ ...rangeOf(prefix), startRevision: fromRevision });
    for await (const { error, events } of watcher) {
      if (error !== undefined) throw error;
      for (const { type, kv } of events) {
        if (type === Event_EventType.PUT && kv !== undefined) yield entryOf(kv);
      }
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #deadline() {
    return { deadlineMillis: this.#client.deadlineIn(this.#timeoutMillis) };
  }
}

function rangeOf(prefix: string): { readonly key: Buffer; readonly rangeEnd: Buffer } {
  const key = Buffer.from(prefix);
  return { key, rangeEnd: prefixEnd(key) };
}

function entryOf({ key, value, createRevision }: KeyValue): DiscoveryEntry {
  return {
    key: Buffer.from(key).toString(),
    value: Buffer.from(value).toString(),
    createRevision,
  };
}
