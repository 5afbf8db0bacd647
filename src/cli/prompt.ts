import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Terminal } from './terminal.js';

/**
 * Asks for a secret: the prompt on stdout, one line from stdin without echo, surrounding space cut
 * off (reference: cli 2.5).
 * @throws Error `EOF` if stdin ends before a line
 */
export async function askSecret(terminal: Terminal, prompt: string): Promise<string> {
  terminal.out(prompt);
  const isTerminal = 'isTTY' in terminal.stdin && terminal.stdin.isTTY === true;
  // In terminal mode readline echoes to its output itself, which is nowhere here.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: terminal.stdin, output: nowhere, terminal: isTerminal });
  try {
    for await (const line of lines) {
      terminal.out('\n');
      return line.trim();
    }
    throw new Error('EOF');
  } finally {
    lines.close();
  }
}
