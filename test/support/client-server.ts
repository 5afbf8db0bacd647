import type { Client } from '../../src/client/client.js';
import { Event_EventType as EventType } from '../../src/proto/gen/mvccpb/kv.js';
import type { Inspected } from './crash-history.js';
import type { ModelEvent } from './keyspace-model.js';
import type { Acknowledgement, Destination } from './workload.js';

const ALL = Buffer.from([0]);

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Sends a workload to a server through our client. */
export function clientDestination(client: Client): Destination {
  const answer = ({ header }: { header?: { revision: number } | undefined }): Acknowledgement => ({
    revision: header?.revision ?? -1,
  });
  return {
    put: async (request) => answer(await client.kv.put(request)),
    delete: async (request) => {
      const response = await client.kv.deleteRange(request);
      return { ...answer(response), deleted: response.deleted };
    },
    txn: async (request) => {
      const response = await client.kv.txn(request);
      return { ...answer(response), succeeded: response.succeeded };
    },
    compact: async (revision) =>
      answer(await client.kv.compact({ revision, physical: revision % 3 === 0 })),
    grant: async (ID, TTL) => answer(await client.lease.grant({ ID, TTL })),
    revoke: async (id) => answer(await client.lease.revoke(id)),
  };
}

/** Looks at a server through our client. */
export function clientInspection(client: Client): Inspected {
  return {
    async all() {
      const { header, kvs } = await client.kv.range({ key: ALL, rangeEnd: ALL });
      return { revision: header?.revision ?? -1, keyValues: kvs };
    },
    changes: (from, to) => watchedChanges(client, from, to),
    hashKv: (revision) => client.maintenance.hashKv(revision),
    leases: async () => (await client.lease.list()).leases.map(({ ID }) => ID),
    leaseKeys: async (ID) => (await client.lease.timeToLive({ ID, keys: true })).keys.map(latin1),
  };
}

async function watchedChanges(
  client: Client,
  from: number,
  to: number,
): Promise<Map<number, ModelEvent[]>> {
  const changes = new Map<number, ModelEvent[]>();
  if (from > to) return changes;
  for await (const update of client.watch.watch({ key: ALL, rangeEnd: ALL, startRevision: from })) {
    if (update.error !== undefined) throw update.error;
    for (const { type, kv } of update.events) {
      if (kv === undefined) throw new Error('an event without a key');
      const keyValue = type === EventType.PUT ? kv : undefined;
      const events = changes.get(kv.modRevision) ?? [];
      events.push({ key: latin1(kv.key), keyValue });
      changes.set(kv.modRevision, events);
    }
    if (changes.has(to)) break;
  }
  return changes;
}
