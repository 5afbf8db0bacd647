import { createHash } from 'node:crypto';

/**
 * The id of a member that takes part in a bootstrap: the first 8 bytes of SHA-1 over the sorted
 * peer URLs and the cluster token (reference: server 2.3). Name and client URLs do not count.
 * @param unixSeconds only for members added at run time
 * @throws Error if the hash is 0, which no member may have
 */
export function memberId(
  peerUrls: readonly string[],
  clusterToken: string,
  unixSeconds?: number,
): bigint {
  const hash = createHash('sha1');
  for (const url of [...peerUrls].sort()) hash.update(url);
  hash.update(clusterToken);
  if (unixSeconds !== undefined) hash.update(String(unixSeconds));
  const id = hash.digest().readBigUInt64BE(0);
  if (id === 0n) throw new Error('cannot use 0 as member id');
  return id;
}

/** The id of a cluster: from the ids of its first members, never computed again. */
export function clusterId(memberIds: readonly bigint[]): bigint {
  const ordered = [...memberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const bytes = Buffer.alloc(8 * ordered.length);
  for (const [position, id] of ordered.entries()) bytes.writeBigUInt64BE(id, 8 * position);
  return createHash('sha1').update(bytes).digest().readBigUInt64BE(0);
}
