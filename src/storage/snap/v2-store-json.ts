import { asBuffer } from '../../base/bytes.js';
import { goJson } from '../../base/go-json.js';
import { SnapError } from './snap-error.js';

/** A member as the v2 store describes it. */
export interface V2Member {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** Empty until the member has started. */
  readonly name: string;
  /** Empty until the member has started. */
  readonly clientUrls: readonly string[];
}

/** All that the v2 store of a `.snap` file tells. */
export interface V2Membership {
  readonly members: readonly V2Member[];
  /** Ids that were removed and must not come back. */
  readonly removed: readonly bigint[];
  /** Cluster version such as `3.6.0`; undefined until it was decided. */
  readonly clusterVersion: string | undefined;
}

interface V2Node {
  Path: string;
  CreatedIndex: number;
  ModifiedIndex: number;
  ExpireTime: string;
  Value: string;
  Children: Record<string, V2Node> | null;
}

interface V2Event {
  readonly action: 'create' | 'set';
  readonly node: {
    readonly key: string;
    readonly value: string;
    readonly modifiedIndex: number;
    readonly createdIndex: number;
  };
}

/** Go's zero time: nothing expires. */
const PERMANENT = '0001-01-01T00:00:00Z';
/** Trap: readers up to 3.6 crash if the list of events is shorter than this. */
const EVENT_CAPACITY = 1000;
const STORE_VERSION = 2;

const STAT_NAMES = [
  'getsSuccess',
  'getsFail',
  'setsSuccess',
  'setsFail',
  'deleteSuccess',
  'deleteFail',
  'updateSuccess',
  'updateFail',
  'createSuccess',
  'createFail',
  'compareAndSwapSuccess',
  'compareAndSwapFail',
  'compareAndDeleteSuccess',
  'compareAndDeleteFail',
  'expireCount',
  'watchers',
];

/**
 * The v2 store as etcd 3.6 and 3.7 make it for a snapshot: fresh, from the membership, with indexes
 * counting up from 1 (reference: formats 2.2). The same membership gives the same bytes.
 */
export function encodeV2Store(membership: V2Membership): Buffer {
  const builder = new StoreBuilder();
  for (const member of sortedById(membership.members)) {
    const path = `/0/members/${member.id.toString(16)}`;
    builder.put('create', `${path}/raftAttributes`, raftAttributes(member));
    if (member.clientUrls.length > 0)
      builder.put('set', `${path}/attributes`, encodeAttributes(member));
  }
  for (const id of membership.removed) {
    builder.put('create', `/0/removed_members/${id.toString(16)}`, '');
  }
  if (membership.clusterVersion !== undefined) {
    builder.put('set', '/0/version', membership.clusterVersion);
  }
  return Buffer.from(goJson(builder.finish()));
}

function sortedById(members: readonly V2Member[]): V2Member[] {
  return [...members].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function raftAttributes({ peerUrls, isLearner }: V2Member): string {
  return goJson({ peerURLs: peerUrls, ...(isLearner ? { isLearner } : {}) });
}

/** What a member tells of itself, as the store and the log of older releases hold it. */
export function encodeAttributes({
  name,
  clientUrls,
}: Pick<V2Member, 'name' | 'clientUrls'>): string {
  return goJson({
    ...(name === '' ? {} : { name }),
    ...(clientUrls.length === 0 ? {} : { clientURLs: clientUrls }),
  });
}

class StoreBuilder {
  readonly #root = directoryNode('/', 0);
  readonly #events: V2Event[] = [];
  #index = 0;
  #creates = 0;

  constructor() {
    this.#root.Children = { 0: directoryNode('/0', 0), 1: directoryNode('/1', 0) };
  }

  put(action: 'create' | 'set', path: string, value: string): void {
    const index = ++this.#index;
    if (action === 'create') this.#creates++;
    const names = path.slice(1).split('/');
    const leafName = names.pop() ?? '';
    let node = this.#root;
    let at = '';
    for (const name of names) {
      at += `/${name}`;
      node = childOf(node, name) ?? addChild(node, name, directoryNode(at, index));
    }
    addChild(node, leafName, { ...directoryNode(path, index), Value: value, Children: null });
    this.#events.push({
      action,
      node: { key: path, value, modifiedIndex: index, createdIndex: index },
    });
  }

  finish(): unknown {
    sortChildren(this.#root);
    const events = this.#events.slice(-EVENT_CAPACITY);
    const stats: Record<string, number> = Object.fromEntries(STAT_NAMES.map((name) => [name, 0]));
    stats.createSuccess = this.#creates;
    stats.setsSuccess = this.#index - this.#creates;
    return {
      Root: this.#root,
      WatcherHub: {
        EventHistory: {
          Queue: {
            Events: [...events, ...Array(EVENT_CAPACITY - events.length).fill(null)],
            Size: events.length,
            Front: 0,
            Back: events.length % EVENT_CAPACITY,
            Capacity: EVENT_CAPACITY,
          },
          StartIndex: events[0]?.node.modifiedIndex ?? 0,
          LastIndex: this.#index,
        },
      },
      CurrentIndex: this.#index,
      Stats: stats,
      CurrentVersion: STORE_VERSION,
    };
  }
}

function directoryNode(path: string, index: number): V2Node {
  return {
    Path: path,
    CreatedIndex: index,
    ModifiedIndex: index,
    ExpireTime: PERMANENT,
    Value: '',
    Children: {},
  };
}

/** Own properties only: ids of digits alone and names of Object's prototype are names like any. */
function childOf(node: V2Node, name: string): V2Node | undefined {
  const children = node.Children;
  return children !== null && Object.hasOwn(children, name) ? children[name] : undefined;
}

function addChild(node: V2Node, name: string, child: V2Node): V2Node {
  node.Children ??= {};
  node.Children[name] = child;
  return child;
}

/** Go writes the keys of a map in byte order. */
function sortChildren(node: V2Node): void {
  if (node.Children === null) return;
  const sorted = Object.entries(node.Children).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, child] of sorted) sortChildren(child);
  node.Children = Object.fromEntries(sorted);
}

/**
 * The membership in the v2 store that any etcd from 3.4 on left in a `.snap` file. Ids are read from
 * paths, where they stand in hex, so that none passes through a number.
 *
 * @throws {SnapError} bad-v2-store
 */
export function decodeV2Store(bytes: Uint8Array): V2Membership {
  const root = parseObject(asBuffer(bytes).toString('utf8'), 'store').Root;
  if (!isObject(root)) throw badStore('no Root');
  const cluster = child(root, '0');
  const members = Object.entries(childrenOf(child(cluster, 'members'))).map(([hex, node]) =>
    decodeMember(parseId(hex), node),
  );
  const removed = Object.keys(childrenOf(child(cluster, 'removed_members'))).map(parseId);
  const version = child(cluster, 'version');
  return {
    members: sortedById(members),
    removed: removed.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    clusterVersion: version === undefined ? undefined : nodeValue(version),
  };
}

/**
 * Whether the store holds more than the membership: keys that clients of etcd's second API left, or
 * its users. Such a store is refused by etcd from 3.6 on (reference: formats 2.2).
 *
 * @throws {SnapError} bad-v2-store
 */
export function hasV2UserData(bytes: Uint8Array): boolean {
  const root = parseObject(asBuffer(bytes).toString('utf8'), 'store').Root;
  return Object.entries(childrenOf(root)).some(
    ([name, node]) =>
      name !== '0' && !(isObject(node) && isObject(node.Children) && isEmpty(node.Children)),
  );
}

function isEmpty(object: JsonObject): boolean {
  return Object.keys(object).length === 0;
}

type JsonObject = Record<string, unknown>;

function decodeMember(id: bigint, node: unknown): V2Member {
  const raft = child(node, 'raftAttributes');
  if (raft === undefined) throw badStore(`member ${id.toString(16)} has no raftAttributes`);
  const raftFields = parseObject(nodeValue(raft), 'raftAttributes');
  const attributesNode = child(node, 'attributes');
  const fields =
    attributesNode === undefined ? {} : parseObject(nodeValue(attributesNode), 'attributes');
  return {
    id,
    peerUrls: stringsOf(raftFields.peerURLs, 'peerURLs'),
    isLearner: raftFields.isLearner === true,
    name: typeof fields.name === 'string' ? fields.name : '',
    clientUrls: stringsOf(fields.clientURLs, 'clientURLs'),
  };
}

function childrenOf(node: unknown): JsonObject {
  const children = isObject(node) ? node.Children : undefined;
  return isObject(children) ? children : {};
}

function child(node: unknown, name: string): unknown {
  const children = childrenOf(node);
  return Object.hasOwn(children, name) ? children[name] : undefined;
}

function nodeValue(node: unknown): string {
  const value = isObject(node) ? node.Value : undefined;
  if (typeof value !== 'string') throw badStore('a node has no value');
  return value;
}

function stringsOf(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw badStore(`${name} is not a list of strings`);
}

function parseId(hex: string): bigint {
  if (!/^[0-9a-f]{1,16}$/.test(hex)) throw badStore(`not a member id: ${hex}`);
  return BigInt(`0x${hex}`);
}

function parseObject(text: string, what: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badStore(`${what} is not JSON`, error);
  }
  throw badStore(`${what} is not a JSON object`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function badStore(reason: string, cause?: unknown): SnapError {
  return new SnapError('bad-v2-store', `snap: bad v2 store: ${reason}`, undefined, cause);
}
