import type { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import type { Terminal } from './terminal.js';

/** A line that is longer is no password. */
const MAX_LINE_BYTES = 1024 * 1024;

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
 * @throws Error if the input fails or has no end of line within a mebibyte
 */
export async function askSecret(terminal: Terminal, prompt: string): Promise<string> {
  const { stdin } = terminal;
  const cut = stdin instanceof ReadStream ? editedLine : plainLine;
  // Before the prompt: what is typed at once must not be seen either.
  if (stdin instanceof ReadStream) stdin.setRawMode(true);
  try {
    terminal.out(prompt);
    return (await readUntil(stdin, cut)).trim();
  } finally {
    if (stdin instanceof ReadStream) stdin.setRawMode(false);
    terminal.out('\n');
  }
}

/** A line as it comes, without its newline; where the input ends, so does the line. */
export function readLine(stdin: Readable): Promise<string> {
  return readUntil(stdin, plainLine);
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
    if (found === undefined) {
      if (bytes.length > MAX_LINE_BYTES) throw new Error('line too long');
      continue;
    }
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

function plainLine(bytes: Buffer): CutInput | undefined {
  const end = bytes.indexOf(NEWLINE);
  return end < 0 ? undefined : { line: bytes.subarray(0, end), rest: bytes.subarray(end + 1) };
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
