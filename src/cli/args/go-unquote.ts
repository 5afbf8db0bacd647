import { argumentBytes, argumentText } from './argument-bytes.js';

const SINGLE: Readonly<Record<string, number>> = {
  a: 0x07,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
  '\\': 0x5c,
  '"': 0x22,
};

const ESCAPE = /^(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|([abfnrtv\\"]))/;

/**
 * The content between the double quotes of a Go string literal, escapes resolved. The result may
 * hold any bytes, in the form of {@link argumentText}.
 * @returns undefined for a bad escape
 */
export function unquoteGo(content: string): string | undefined {
  const parts: Uint8Array[] = [];
  let rest = content;
  while (rest !== '') {
    const backslash = rest.indexOf('\\');
    if (backslash < 0) break;
    parts.push(argumentBytes(rest.slice(0, backslash)));
    rest = rest.slice(backslash + 1);
    const match = ESCAPE.exec(rest);
    const bytes = match === null ? undefined : escapedBytes(match);
    if (match === null || bytes === undefined) return undefined;
    parts.push(bytes);
    rest = rest.slice(match[0].length);
  }
  return argumentText(Buffer.concat([...parts, argumentBytes(rest)]));
}

function escapedBytes(match: RegExpExecArray): Buffer | undefined {
  const [, byte, shortRune, longRune, octal, single] = match;
  if (byte !== undefined) return Buffer.of(Number.parseInt(byte, 16));
  const rune = shortRune ?? longRune;
  if (rune !== undefined) {
    const code = Number.parseInt(rune, 16);
    const valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return valid ? Buffer.from(String.fromCodePoint(code)) : undefined;
  }
  if (octal !== undefined) {
    const value = Number.parseInt(octal, 8);
    return value <= 0xff ? Buffer.of(value) : undefined;
  }
  const value = single === undefined ? undefined : SINGLE[single];
  return value === undefined ? undefined : Buffer.of(value);
}
