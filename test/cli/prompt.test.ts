import { PassThrough, Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { askSecret, readLine } from '../../src/cli/prompt.js';
import type { Terminal } from '../../src/cli/terminal.js';

function terminalWith(stdin: Readable): { terminal: Terminal; said: () => string } {
  let said = '';
  const terminal: Terminal = {
    environment: {},
    stdin,
    errorIsTerminal: false,
    out: (content) => {
      said += content;
    },
    error: () => {
      throw new Error('nothing to say on stderr');
    },
  };
  return { terminal, said: () => said };
}

describe('a prompt', () => {
  it('leaves what comes after its line to the next one', async () => {
    const { terminal, said } = terminalWith(Readable.from(['one\r\n  two  \nthree']));
    expect(await askSecret(terminal, 'First: ')).toBe('one');
    expect(await askSecret(terminal, 'Second: ')).toBe('two');
    expect(await askSecret(terminal, 'Third: ')).toBe('three');
    expect(await askSecret(terminal, 'Fourth: ')).toBe('');
    expect(said()).toBe('First: \nSecond: \nThird: \nFourth: \n');
  });

  it('waits for a line that comes in pieces', async () => {
    const stdin = new PassThrough();
    const line = readLine(stdin);
    stdin.write('pass');
    await nextTurn();
    stdin.write('w\xc3');
    await nextTurn();
    stdin.write(Buffer.from('ö\nrest'));
    expect(await line).toBe('passwÃö');
    expect(stdin.read()).toEqual(Buffer.from('rest'));
  });

  it('takes no line without an end', async () => {
    const endless = Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(65_536, 'x')));
    await expect(readLine(endless)).rejects.toThrow('line too long');
  });

  it('fails if its input does', async () => {
    const stdin = new PassThrough();
    const line = readLine(stdin);
    stdin.destroy(new Error('broken'));
    await expect(line).rejects.toThrow('broken');
  });
});
