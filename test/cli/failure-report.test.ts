import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { CommandFailure } from '../../src/cli/exit.js';
import { reportFailure } from '../../src/cli/failure-report.js';

function report(error: unknown, debug = false) {
  let stderr = '';
  const terminal = {
    environment: {},
    stdin: Readable.from([]),
    errorIsTerminal: false,
    out: () => {
      throw new Error('failures go to stderr');
    },
    error: (content: string | Uint8Array) => {
      stderr += content;
    },
  };
  return { exitCode: reportFailure(error, terminal, debug), stderr };
}

describe('the report of a failure', () => {
  const cause = new Error('the reason');

  it('is one line, and a hint if there is one', () => {
    expect(report(new CommandFailure(128, 'wrong'))).toEqual({
      exitCode: 128,
      stderr: 'Error: wrong\n',
    });
    expect(report(new CommandFailure(1, 'wrong', { cause, hint: 'look there' }))).toEqual({
      exitCode: 1,
      stderr: 'Error: wrong\nlook there\n',
    });
  });

  it('is nothing if the command said it all', () => {
    expect(report(new CommandFailure(1))).toEqual({ exitCode: 1, stderr: '' });
  });

  it('is the message of an error that nobody expected', () => {
    expect(report(cause)).toEqual({ exitCode: 1, stderr: 'Error: the reason\n' });
    expect(report('text')).toEqual({ exitCode: 1, stderr: 'Error: text\n' });
  });

  it('shows where it happened only for debugging', () => {
    const { stderr } = report(new CommandFailure(1, 'wrong', { cause }), true);
    expect(stderr).toMatch(/^Error: wrong\nError: the reason\n {4}at /);
    expect(report(cause, true).stderr).toMatch(/^Error: the reason\nError: the reason\n {4}at /);
  });
});
