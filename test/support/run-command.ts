import { Readable } from 'node:stream';
import type { Config } from '@oclif/core/config';
import type { BaseCommand, Invocation } from '../../src/cli/base-command.js';
import { reportFailure } from '../../src/cli/failure-report.js';

type CommandClass = new (
  argv: string[],
  config: Config,
  invocation: Invocation,
) => Pick<BaseCommand<never>, 'run'>;

export interface CommandOptions {
  readonly stdin?: string;
  /** Somebody reads stderr. Default: no. */
  readonly errorIsTerminal?: boolean;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Runs a command of etcdctl in this process. */
export async function runCommand(
  command: CommandClass,
  argv: readonly string[],
  { stdin = '', errorIsTerminal = false }: CommandOptions = {},
): Promise<CommandResult> {
  const output = { stdout: '', stderr: '' };
  const terminal = {
    environment: {},
    stdin: Readable.from(stdin === '' ? [] : [stdin], { objectMode: false }),
    errorIsTerminal,
    out: (content: string | Uint8Array) => {
      output.stdout += Buffer.from(content).toString();
    },
    error: (content: string | Uint8Array) => {
      output.stderr += Buffer.from(content).toString();
    },
  };
  const invocation: Invocation = { face: 'etcdctl', terminal, commands: {} };
  let exitCode = 0;
  try {
    await new command([...argv], { bin: 'etcdctl' } as Config, invocation).run();
  } catch (error) {
    exitCode = reportFailure(error, terminal, false);
  }
  return { ...output, exitCode };
}
