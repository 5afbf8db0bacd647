import type { Backend } from '../../storage/backend/backend.js';
import { clusterVersionRefusal } from './cluster-version.js';
import { decodeDowngrade, encodeDowngrade } from './downgrade.js';
import { decodeMember, encodeMember, formatId, type Member } from './member.js';

const CLUSTER_VERSION_KEY = Buffer.from('clusterVersion');
const DOWNGRADE_KEY = Buffer.from('downgrade');
const REMOVED_VALUE = Buffer.from('removed');

/**
 * Who belongs to the cluster and which version it runs: replicated state, kept in memory and in the
 * buckets `members`, `members_removed` and `cluster`. Changed at apply alone.
 * Source: reference, semantics 9.
 */
export class Cluster {
  readonly id: bigint;
  readonly localMemberId: bigint;
  readonly #backend: Backend;
  readonly #members = new Map<bigint, Member>();
  readonly #removed = new Set<bigint>();
  #version: string | undefined;
  #downgradeTarget: string | undefined;

  constructor(id: bigint, localMemberId: bigint, backend: Backend) {
    this.id = id;
    this.localMemberId = localMemberId;
    this.#backend = backend;
  }

  /** Loads what the backend holds. */
  restore(): void {
    this.#members.clear();
    this.#removed.clear();
    const all = Buffer.alloc(0);
    for (const [, value] of this.#backend.range('members', all)) {
      const { isPromote: _, ...member } = decodeMember(value.toString());
      this.#members.set(member.id, member);
    }
    for (const [key] of this.#backend.range('members_removed', all)) {
      this.#removed.add(BigInt(`0x${key.toString()}`));
    }
    this.#version = this.#backend.get('cluster', CLUSTER_VERSION_KEY)?.toString();
    const downgrade = this.#backend.get('cluster', DOWNGRADE_KEY)?.toString();
    this.#downgradeTarget = downgrade === undefined ? undefined : decodeDowngrade(downgrade);
  }

  /** `major.minor.patch`, or undefined as long as the members have not agreed on one. */
  get version(): string | undefined {
    return this.#version;
  }

  /** Whether the members have agreed on that version or a later one. */
  isAtLeast(major: number, minor: number): boolean {
    const [ownMajor = 0, ownMinor = 0] = (this.#version ?? '0.0').split('.').map(Number);
    return ownMajor > major || (ownMajor === major && ownMinor >= minor);
  }

  /** Where the cluster is on its way down to, `major.minor.0`; undefined if it is not. */
  get downgradeTarget(): string | undefined {
    return this.#downgradeTarget;
  }

  get localMember(): Member | undefined {
    return this.#members.get(this.localMemberId);
  }

  /** All members by ascending id. */
  members(): Member[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  removedIds(): bigint[] {
    return [...this.#removed];
  }

  member(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** Stores a new or changed member. */
  put(member: Member): void {
    this.#members.set(member.id, member);
    this.#backend.put('members', idKey(member.id), Buffer.from(encodeMember(member)));
  }

  /** Takes a member out for good: its id can never come back. */
  remove(id: bigint): void {
    this.#members.delete(id);
    this.#removed.add(id);
    this.#backend.delete('members', idKey(id));
    this.#backend.put('members_removed', idKey(id), REMOVED_VALUE);
  }

  /** What a member says of itself once it has started; ignored for one that is not here. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.put({ ...member, name, clientUrls: [...clientUrls] });
  }

  /** @throws Error if this release is older than the version: it can't go on under it */
  setVersion(version: string): void {
    const refusal = clusterVersionRefusal(version);
    if (refusal !== undefined) throw new Error(refusal);
    this.#version = version;
    this.#backend.put('cluster', CLUSTER_VERSION_KEY, Buffer.from(version));
  }

  /** @param target undefined: the cluster stays at its version */
  setDowngrade(target: string | undefined): void {
    this.#downgradeTarget = target;
    this.#backend.put('cluster', DOWNGRADE_KEY, Buffer.from(encodeDowngrade(target)));
  }
}

function idKey(id: bigint): Buffer {
  return Buffer.from(formatId(id));
}
