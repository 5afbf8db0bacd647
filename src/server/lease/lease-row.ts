import { Lease as LeaseCodec } from '../../proto/gen/leasepb/lease.js';
import type { Lease } from './lease.js';

/** The bucket key of a lease: its id, 8 bytes, big-endian (reference: formats 4.1). */
export function leaseKey(id: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigInt64BE(id);
  return key;
}

/** The row of a lease, the same bytes on every member. */
export function encodeLease(lease: Lease): Buffer {
  const row = { ID: lease.id, TTL: lease.ttlSeconds, RemainingTTL: lease.remainingTtlSeconds };
  return LeaseCodec.encode(row).finish();
}

/** @throws DecodeError if the row is damaged */
export function decodeLease(
  row: Uint8Array,
): Pick<Lease, 'id' | 'ttlSeconds' | 'remainingTtlSeconds'> {
  const { ID, TTL, RemainingTTL } = LeaseCodec.decode(row);
  return { id: ID, ttlSeconds: TTL, remainingTtlSeconds: RemainingTTL };
}
