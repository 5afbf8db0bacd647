import { Request } from '../../proto/gen/etcdserverpb/etcdserver.js';
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
} from '../../proto/gen/membershippb/membership.js';
import { encodeInternalRequest } from '../../proto/hot/internal-request.js';
import { encodeAttributes } from '../../storage/snap/v2-store-json.js';
import { compareReleases, parseRelease } from './cluster-version.js';
import { formatId } from './member.js';

/** What a member tells the others of itself. */
export interface MemberAttributes {
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/**
 * How attributes and versions are written to the log: `v2` as the requests to the v2 store that
 * etcd 3.4 and 3.5 write, `v3` as the requests that 3.5 and later read (reference:
 * raft-and-peers B5).
 */
export type EntryForm = 'v2' | 'v3';

/** The first release that reads the v3 form. Trap: 3.4 ends with a panic on it. */
const FIRST_WITH_V3 = { major: 3, minor: 5 };
/** The cluster version that says nothing but that somebody could not be asked. */
const UNDECIDED = { major: 3, minor: 0 };

/**
 * The form that all members understand.
 * @param clusterVersion no member is older than that
 * @param peers the releases of the other members; undefined for one that could not be asked
 */
export function entryForm(
  clusterVersion: string | undefined,
  peers: readonly (string | undefined)[],
): EntryForm {
  const cluster = parseRelease(clusterVersion) ?? UNDECIDED;
  if (compareReleases(cluster, FIRST_WITH_V3) >= 0) return 'v3';
  const known = peers.map(parseRelease).filter((release) => release !== undefined);
  // Beside a 3.4 those that say 3.7 are of our kind, which reads both: a real one would not be there.
  if (known.some((release) => compareReleases(release, FIRST_WITH_V3) < 0)) return 'v2';
  // Trap: a real 3.7 ends with a panic on the v2 form, so that must not be chosen without a reason.
  // Whoever could not be asked may be as old as the cluster says.
  const isOpen = known.length < peers.length && compareReleases(cluster, UNDECIDED) > 0;
  return isOpen ? 'v2' : 'v3';
}

/** The entry by which a member tells its name and client URLs. */
export function attributesEntry(
  form: EntryForm,
  requestId: bigint,
  memberId: bigint,
  attributes: MemberAttributes,
): Buffer {
  if (form === 'v2') {
    const path = `/0/members/${formatId(memberId)}/attributes`;
    return storeRequest(requestId, path, encodeAttributes(attributes));
  }
  const { name, clientUrls } = attributes;
  const request = { memberID: memberId, memberAttributes: { name, clientUrls: [...clientUrls] } };
  const payload = ClusterMemberAttrSetRequest.encode(request).finish();
  return encodeInternalRequest(headerOf(requestId), 'clusterMemberAttrSet', payload);
}

/** The entry that sets the version of the cluster, `major.minor.0`. */
export function versionEntry(form: EntryForm, requestId: bigint, version: string): Buffer {
  if (form === 'v2') return storeRequest(requestId, '/0/version', version);
  const payload = ClusterVersionSetRequest.encode({ ver: version }).finish();
  return encodeInternalRequest(headerOf(requestId), 'clusterVersionSet', payload);
}

function headerOf(id: bigint) {
  return { id, username: '', authRevision: 0 };
}

/**
 * A put into the v2 store. Trap: fields are written though they are zero. By one of them readers
 * know that this is no InternalRaftRequest (reference: api 3.4, formats 4.2).
 */
function storeRequest(id: bigint, path: string, value: string): Buffer {
  const request = Request.create({
    ID: id,
    Method: 'PUT',
    Path: path,
    Val: value,
    Dir: false,
    PrevValue: '',
    PrevIndex: 0,
    Expiration: 0n,
    Wait: false,
    Since: 0,
    Recursive: false,
    Sorted: false,
    Quorum: false,
    Time: 0n,
    Stream: false,
  });
  return Buffer.from(Request.encode(request).finish());
}
