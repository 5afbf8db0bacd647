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
  const id = /"id"\s*:\s*(\d+)/.exec(text)?.[1];
  if (id === undefined) throw new SyntaxError(`no member id in ${JSON.stringify(text)}`);
  const fields = JSON.parse(text) as Record<string, unknown>;
  return {
    id: BigInt(id),
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

/** JSON as Go writes it: `<`, `>` and `&` are escaped, so that the bytes equal those of etcd. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
