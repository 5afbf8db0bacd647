/**
 * JSON as Go writes it: `<`, `>`, `&` and two line separators are escaped, so that the bytes equal
 * those of etcd.
 */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
