import { isUtf8 } from 'node:buffer';

/**
 * Arguments may be any bytes, but a JavaScript string can hold only text. Bytes that are not UTF-8
 * travel as lone surrogates U+DC80..U+DCFF, the convention of Python's `surrogateescape`.
 */

const ESCAPE_BASE = 0xdc00;
const LONE_SURROGATE = /[\udc80-\udcff]/;

/** The bytes of an argument as the shell passed them. */
export function argumentBytes(argument: string): Buffer {
  if (!LONE_SURROGATE.test(argument)) return Buffer.from(argument);
  const parts: Buffer[] = [];
  // Iterating by code points keeps well-formed surrogate pairs together.
  for (const rune of argument) {
    const code = rune.codePointAt(0) ?? 0;
    const escaped = code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff;
    parts.push(escaped ? Buffer.of(code - ESCAPE_BASE) : Buffer.from(rune));
  }
  return Buffer.concat(parts);
}

/** The argument that stands for these bytes: the inverse of {@link argumentBytes}. */
export function argumentText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes);
  if (isUtf8(buffer)) return buffer.toString();
  let out = '';
  for (let at = 0; at < buffer.length; ) {
    const length = runeLength(buffer, at);
    out +=
      length === 0
        ? String.fromCharCode(ESCAPE_BASE + (buffer[at] ?? 0))
        : buffer.toString('utf8', at, at + length);
    at += Math.max(length, 1);
  }
  return out;
}

/**
 * Restores the bytes that Node replaced by U+FFFD while it decoded the command line.
 * @param commandLine content of /proc/self/cmdline: NUL-terminated arguments, ours at the end
 */
export function restoreArguments(argv: readonly string[], commandLine: Uint8Array): string[] {
  const raw: string[] = [];
  let start = 0;
  for (let end = commandLine.indexOf(0); end >= 0; end = commandLine.indexOf(0, start)) {
    raw.push(argumentText(commandLine.subarray(start, end)));
    start = end + 1;
  }
  return raw.length < argv.length ? [...argv] : raw.slice(raw.length - argv.length);
}

/** Length of the UTF-8 sequence at `at`, 0 if there is none. */
function runeLength(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    if (isUtf8(bytes.subarray(at, at + length))) return length;
  }
  return 0;
}
