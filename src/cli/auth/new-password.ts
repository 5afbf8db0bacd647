import { CommandFailure, ExitCode } from '../exit.js';
import { askSecret, readLine } from '../prompt.js';
import type { Terminal } from '../terminal.js';

/**
 * The new password of a user (reference: cli 7): asked for twice, or the first word of a line of
 * stdin, which may be empty.
 * @throws CommandFailure if what was typed is no password
 */
export async function newPassword(
  terminal: Terminal,
  user: string,
  interactive: boolean,
): Promise<string> {
  if (!interactive) return firstWord(await readLine(terminal.stdin));
  const password = await ask(terminal, `Password of ${user}: `);
  if (password === '') throw new CommandFailure(ExitCode.BadArguments, 'empty password');
  const again = await ask(terminal, `Type password of ${user} again for confirmation: `);
  if (again !== password) {
    throw new CommandFailure(ExitCode.BadArguments, 'given passwords are different');
  }
  return password;
}

async function ask(terminal: Terminal, prompt: string): Promise<string> {
  try {
    return await askSecret(terminal, prompt);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(ExitCode.BadArguments, `failed to ask password: ${cause}`);
  }
}

function firstWord(line: string): string {
  return /\S+/.exec(line)?.[0] ?? '';
}
