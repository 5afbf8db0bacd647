import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Config } from '@oclif/core/config';
import { describe, expect, it } from 'vitest';
import type { ParsedArguments } from '../../src/cli/args/flag-set.js';
import { boolFlag } from '../../src/cli/args/flags.js';
import { BaseCommand, type Invocation } from '../../src/cli/base-command.js';
import { HelpRequested } from '../../src/cli/exit.js';

const FLAGS = { loud: boolFlag('loud', { short: 'l' }) };

class Greet extends BaseCommand<typeof FLAGS> {
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const text = `hello ${input.positionals.join(' ')}`;
    this.terminal.out(input.flags.loud ? text.toUpperCase() : text);
  }
}

async function greet(...argv: string[]): Promise<string> {
  let output = '';
  const invocation: Invocation = {
    face: 'etcdctl',
    commands: {},
    terminal: {
      environment: {},
      stdin: Readable.from([]),
      errorIsTerminal: false,
      out: (content) => {
        output += content;
      },
      error: () => {
        throw new Error('nothing to say on stderr');
      },
    },
  };
  const config = await Config.load(fileURLToPath(new URL('../..', import.meta.url)));
  await new Greet(argv, config, invocation).run();
  return output;
}

describe('a command', () => {
  it('gets its own flags, and takes those of its face beside them', async () => {
    expect(await greet('you', '-l')).toBe('HELLO YOU');
    expect(await greet('-w', 'json', 'you', '--loud=false')).toBe('hello you');
  });

  it('asks for its help page instead of running', async () => {
    await expect(greet('-lh')).rejects.toThrow(HelpRequested);
  });

  it('refuses what it does not declare', async () => {
    await expect(greet('--shout')).rejects.toThrow('unknown flag: --shout');
  });
});
