import { DecodeError } from '../../proto/decode-error.js';
import { Request } from '../../proto/gen/etcdserverpb/etcdserver.js';
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
} from '../../proto/gen/membershippb/membership.js';
import {
  decodeInternalRaftRequest,
  type InternalRequest,
} from '../../proto/hot/internal-request.js';

const ATTRIBUTES_PATH = /^\/0\/members\/([0-9a-f]{1,16})\/attributes$/;
const VERSION_PATH = '/0/version';
/** Requests that read, or that expire what is not kept here. */
const CHANGE_NOTHING: ReadonlySet<string> = new Set(['GET', 'QGET', 'HEAD', 'SYNC']);

/** A write to the store of etcd's second API, which this server does not have. */
export class StoreWriteError extends Error {
  override readonly name = 'StoreWriteError';
}

/**
 * Decodes an entry of the log. Members of 3.4 and 3.5 write attributes and versions as requests to
 * the v2 store, which come out here as the requests that took their place (reference: api 3.4).
 * @returns undefined for an entry that asks for nothing
 * @throws DecodeError for bytes that are neither, StoreWriteError for other writes to that store
 */
export function decodeLoggedRequest(bytes: Buffer): InternalRequest | undefined {
  let request: InternalRequest;
  try {
    request = decodeInternalRaftRequest(bytes);
  } catch (error) {
    const stored = decodeStoreRequest(bytes);
    // What is no such request either is a damaged one of today's.
    if (stored === undefined) throw error;
    return translate(stored);
  }
  return request.kind === 'v2' ? translate(Request.decode(request.request)) : request;
}

/** Undefined if the bytes are none. */
function decodeStoreRequest(bytes: Buffer): Request | undefined {
  try {
    const request = Request.decode(bytes);
    return request.Method === undefined ? undefined : request;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function translate(request: Request): InternalRequest | undefined {
  const { ID: id = 0n, Method: method = '', Path: path = '', Val: value = '' } = request;
  if (CHANGE_NOTHING.has(method)) return undefined;
  const member = ATTRIBUTES_PATH.exec(path)?.[1];
  if (method === 'PUT' && member !== undefined) {
    const payload = ClusterMemberAttrSetRequest.encode({
      memberID: BigInt(`0x${member}`),
      memberAttributes: attributesOf(value),
    });
    return internal(id, 'clusterMemberAttrSet', payload.finish());
  }
  if (method === 'PUT' && path === VERSION_PATH) {
    const payload = ClusterVersionSetRequest.encode({ ver: value }).finish();
    return internal(id, 'clusterVersionSet', payload);
  }
  throw new StoreWriteError(`a request ${method} ${path} to the v2 store`);
}

function internal(
  id: bigint,
  kind: 'clusterMemberAttrSet' | 'clusterVersionSet',
  payload: Uint8Array,
): InternalRequest {
  const request = Buffer.from(payload);
  return { id, header: { id, username: '', authRevision: 0 }, kind, request };
}

/** @throws StoreWriteError */
function attributesOf(json: string): { name: string; clientUrls: string[] } {
  let fields: { name?: unknown; clientURLs?: unknown };
  try {
    fields = JSON.parse(json) ?? {};
  } catch {
    throw new StoreWriteError(`attributes that are no JSON: ${json}`);
  }
  const { name, clientURLs } = fields;
  const urls = Array.isArray(clientURLs) ? clientURLs : [];
  return {
    name: typeof name === 'string' ? name : '',
    clientUrls: urls.filter((url) => typeof url === 'string'),
  };
}
