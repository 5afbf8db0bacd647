import {
  CompactionRequest,
  DeleteRangeRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  TxnRequest,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';
import type { LocalMember } from '../../src/server/local-member.js';
import type { Inspected } from './crash-history.js';
import type { ModelEvent } from './keyspace-model.js';
import type { Destination } from './workload.js';

/** Sends a workload to a member of this process. */
export function memberDestination(member: LocalMember): Destination {
  return {
    async put(request) {
      const { revision } = await member.propose(
        'put',
        request,
        PutRequest.encode(request).finish(),
      );
      return { revision };
    },
    delete(request) {
      const payload = DeleteRangeRequest.encode(request).finish();
      return member.propose('deleteRange', request, payload);
    },
    txn: (request) => member.propose('txn', request, TxnRequest.encode(request).finish()),
    async compact(revision) {
      const request = { revision, physical: false };
      const payload = CompactionRequest.encode(request).finish();
      const result = await member.propose('compaction', request, payload);
      return { revision: result.revision };
    },
    grant(ID, TTL) {
      const request = { ID, TTL };
      return member.propose('leaseGrant', request, LeaseGrantRequest.encode(request).finish());
    },
    revoke(ID) {
      const request = { ID };
      return member.propose('leaseRevoke', request, LeaseRevokeRequest.encode(request).finish());
    },
  };
}

/** Looks at a member of this process. */
export function memberInspection(member: LocalMember): Inspected {
  const { store, lessor } = member;
  return {
    async all() {
      await member.linearizableRead();
      const revision = store.currentRevision;
      const found = store.reader.select('\0', '\0', revision, 0);
      const keyValues = found.map((entry) => KeyValue.decode(store.reader.fetch(entry)));
      return { revision, keyValues };
    },
    async changes(from) {
      const changes = new Map<number, ModelEvent[]>();
      if (from > store.currentRevision) return changes;
      for (const { revision, events } of store.changesFrom(from)) {
        changes.set(
          revision,
          events.map(({ key, isDelete, keyValue }) => ({
            key,
            keyValue: isDelete ? undefined : KeyValue.decode(keyValue),
          })),
        );
      }
      return changes;
    },
    hashKv: (revision) => store.hashKeyValues(revision),
    leases: async () => lessor.list().map(({ id }) => id),
    leaseKeys: async (id) => [...(lessor.get(id)?.keys ?? [])],
  };
}
