import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { CommandFailure, ExitCode } from '../exit.js';
import { LineReader } from '../line-reader.js';
import type { Terminal } from '../terminal.js';

/** How much of what the decoder says on stderr is kept, characters. */
const MAX_STDERR = 1 << 16;

/** Texts may hold bytes that are not UTF-8, as `argumentBytes` gives them back. */
export interface DecoderAnswer {
  readonly status: string;
  readonly data: string;
}

/** A program that reads entries as lines of hex and answers each with a line (reference: cli 11.2). */
export class StreamDecoder {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: LineReader;
  readonly #exited: Promise<string | undefined>;
  #stderr = '';

  /** @param command the program and its arguments, with one space between */
  constructor(command: string, terminal: Terminal) {
    const [program = '', ...rest] = command.split(' ');
    this.#child = spawn(program, rest, { env: { ...terminal.environment } });
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('close', (code, signal) => {
        if (signal !== null) resolve(`signal: ${signal}`);
        else resolve(code === 0 ? undefined : `exit status ${code}`);
      });
    });
    this.#child.stdin.on('error', () => this.#child.stdin.destroy());
    this.#child.stderr.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < MAX_STDERR) this.#stderr += chunk.toString();
    });
    this.#answers = new LineReader(this.#child.stdout);
  }

  /** Undefined if the decoder ended instead of answering. */
  async decode(data: Buffer): Promise<DecoderAnswer | undefined> {
    const { stdin } = this.#child;
    // A write that fails is no error of its own: a decoder that is gone gives no answer.
    const written = new Promise<void>((resolve) => {
      stdin.write(`${data.toString('hex')}\n`, () => resolve());
    });
    await Promise.race([written, this.#exited]);
    const answer = await this.#answers.readLine();
    return answer === undefined ? undefined : parseAnswer(answer);
  }

  /**
   * Ends the decoder and tells what it said on stderr.
   * @throws CommandFailure if it did not end well
   */
  async end(terminal: Terminal): Promise<void> {
    this.#child.stdin.end();
    const problem = await this.#exited;
    if (problem !== undefined) throw new CommandFailure(ExitCode.Error, `decoder: ${problem}`);
    if (this.#stderr !== '') terminal.error(`decoder stderr: ${this.#stderr}`);
  }

  /** Stops it at once, if it still runs. */
  kill(): void {
    this.#child.kill();
  }
}

function parseAnswer(line: string): DecoderAnswer {
  const [first = '', second, ...more] = line.split('|');
  if (second === undefined) {
    return { status: 'decoder output format is not right, print output anyway', data: line };
  }
  if (more.length === 0) return { status: first, data: second };
  const warning = '(*WARNING: data might contain deliminator used by etcd-dump-logs)';
  return { status: `${first}${warning}`, data: [second, ...more].join('') };
}
