import type { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import type { Terminal } from './terminal.js';

/** What ends a line or edits it. A raw terminal sends a carriage return for the Enter key. */
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const INTERRUPT = 0x03;
const END_OF_INPUT = 0x04;
const BACKSPACE = 0x08;
const ERASE_LINE = 0x15;
const DELETE = 0x7f;

/**
 * Asks for a secret: the prompt on stdout, one line from stdin without echo, surrounding space cut
 * off (reference: cli 2.5). Where the input ends, so does the line.
 */
export async function askSecret(terminal: Terminal, prompt: string): Promise<string> {
  terminal.out(prompt);
  const line = await readHidden(terminal.stdin);
  terminal.out('\n');
  return line.trim();
}

/** A line as it comes, without its newline: what a program's input holds for it. */
export function readLine(stdin: Readable): Promise<string> {
  return readUntil(stdin, (bytes) => {
    const end = bytes.indexOf(NEWLINE);
    return end < 0 ? undefined : { line: bytes.subarray(0, end), rest: bytes.subarray(end + 1) };
  });
}

async function readHidden(stdin: Readable): Promise<string> {
  if (!(stdin instanceof ReadStream)) return readLine(stdin);
  stdin.setRawMode(true);
  try {
    return await readUntil(stdin, editedLine);
  } finally {
    stdin.setRawMode(false);
  }
}

interface CutInput {
  readonly line: Buffer;
  readonly rest: Buffer;
}

/**
 * Reads until `cut` finds a line, and gives what comes after it back to the stream: the answer to
 * the next prompt may have been sent along.
 */
async function readUntil(
  stdin: Readable,
  cut: (bytes: Buffer) => CutInput | undefined,
): Promise<string> {
  let bytes: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await nextChunk(stdin);
    if (chunk === undefined) return bytes.toString();
    bytes = Buffer.concat([bytes, chunk]);
    const found = cut(bytes);
    if (found === undefined) continue;
    if (found.rest.length > 0) stdin.unshift(found.rest);
    return found.line.toString();
  }
}

/** What the stream has next; undefined at its end. */
function nextChunk(stdin: Readable): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      stdin.off('readable', look).off('end', onEnd).off('error', onError);
      act();
    };
    const look = (): void => {
      const chunk: Buffer | string | null = stdin.read();
      if (chunk !== null) settle(() => resolve(Buffer.from(chunk)));
    };
    const onEnd = (): void => settle(() => resolve(undefined));
    const onError = (error: Error): void => settle(() => reject(error));
    if (stdin.readableEnded) {
      resolve(undefined);
      return;
    }
    stdin.on('readable', look).on('end', onEnd).on('error', onError);
    look();
  });
}

/** The line that the keys pressed so far make, once one of them ended it. */
function editedLine(keys: Buffer): CutInput | undefined {
  const line: number[] = [];
  for (const [at, key] of keys.entries()) {
    switch (key) {
      case NEWLINE:
      case CARRIAGE_RETURN:
      case END_OF_INPUT:
        return { line: Buffer.from(line), rest: keys.subarray(at + 1) };
      case INTERRUPT:
        // A raw terminal sends no signal for it.
        process.kill(process.pid, 'SIGINT');
        return undefined;
      case BACKSPACE:
      case DELETE:
        eraseCharacter(line);
        break;
      case ERASE_LINE:
        line.length = 0;
        break;
      default:
        line.push(key);
    }
  }
  return undefined;
}

/** Takes the last character away: a byte, with all continuation bytes of UTF-8 before it. */
function eraseCharacter(line: number[]): void {
  let last = line.pop();
  while (last !== undefined && (last & 0xc0) === 0x80) last = line.pop();
}
