import { isUtf8 } from 'node:buffer';

/** Characters that have no form of their own on paper or screen. */
const CONTROL = /\p{Cc}/u;
const SPACE = 0x20;
const TILDE = 0x7e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * A member of a JSON object, with the comma before it. Bytes that are UTF-8 without control
 * characters stand there as text, all others in base64 under a name that says so: `"key":"a"`,
 * `"key_base64":"AA=="`. So no two byte strings look alike.
 */
export function bytesMember(name: string, buffer: Buffer, start: number, end: number): string {
  if (isPlain(buffer, start, end)) return `,"${name}":"${buffer.toString('latin1', start, end)}"`;
  const bytes = buffer.subarray(start, end);
  if (isUtf8(bytes)) {
    const text = bytes.toString('utf8');
    if (!CONTROL.test(text)) return `,"${name}":${JSON.stringify(text)}`;
  }
  return `,"${name}_base64":"${bytes.toString('base64')}"`;
}

/** A member whose value is text, with the comma before it. */
export function textMember(name: string, text: string): string {
  return `,"${name}":${JSON.stringify(text)}`;
}

/** Whether the bytes can stand between quotes as they are. */
function isPlain(buffer: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = buffer[at] ?? 0;
    if (byte < SPACE || byte > TILDE || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}
