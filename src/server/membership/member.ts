import { goJson } from '../../base/go-json.js';

/** One member of the cluster, as the log made it known. */
export interface Member {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  /** Empty until the member has started and told its name. */
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/** Member and cluster ids as text: lower-case hexadecimal without padding. */
export function formatId(id: bigint): string {
  return id.toString(16);
}

/**
 * A member as JSON, the form of the `members` bucket and of conf-change contexts.
 * Trap: the id is a bare 64-bit number, which JSON.stringify could not write.
 */
export function encodeMember(member: Member): string {
  const fields = [`"id":${member.id}`, `"peerURLs":${goJson(member.peerUrls)}`];
  if (member.isLearner) fields.push('"isLearner":true');
  if (member.name !== '') fields.push(`"name":${goJson(member.name)}`);
  if (member.clientUrls.length > 0) fields.push(`"clientURLs":${goJson(member.clientUrls)}`);
  return `{${fields.join(',')}}`;
}

/**
 * Parses what {@link encodeMember} writes, in any field order.
 * @throws SyntaxError if the text is not such an object
 */
export function decodeMember(text: string): Member & { readonly isPromote: boolean } {
  return memberOf(parseKeepingIds(text), text);
}

/** Members as JSON array, the form in which one member tells another. */
export function encodeMembers(members: readonly Member[]): string {
  return `[${members.map(encodeMember).join(',')}]`;
}

/**
 * Parses what {@link encodeMembers} writes.
 * @throws SyntaxError if the text is not such an array
 */
export function decodeMembers(text: string): Member[] {
  const list = parseKeepingIds(text);
  // Go writes a list without a member so.
  if (list === null) return [];
  if (!Array.isArray(list)) throw new SyntaxError(`no list of members: ${JSON.stringify(text)}`);
  return list.map((item) => {
    const { isPromote: _, ...member } = memberOf(item, text);
    return member;
  });
}

/**
 * JSON in which the ids are texts, for as numbers they would lose digits. Trap: inside of a string
 * every quote has a backslash before it, so that `"id":` can only be the name of a field.
 */
function parseKeepingIds(text: string): unknown {
  return JSON.parse(text.replace(/"id"\s*:\s*(\d+)/g, '"id":"$1"'));
}

const MAX_ID = 2n ** 64n - 1n;

function memberOf(value: unknown, text: string): Member & { readonly isPromote: boolean } {
  const fields = (value ?? {}) as Readonly<Record<string, unknown>>;
  const id = typeof fields.id === 'string' && /^\d{1,20}$/.test(fields.id) && BigInt(fields.id);
  if (id === false || id > MAX_ID) throw new SyntaxError(`no member id in ${JSON.stringify(text)}`);
  return {
    id,
    peerUrls: stringList(fields.peerURLs),
    isLearner: fields.isLearner === true,
    name: typeof fields.name === 'string' ? fields.name : '',
    clientUrls: stringList(fields.clientURLs),
    isPromote: fields.isPromote === true,
  };
}

function stringList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
