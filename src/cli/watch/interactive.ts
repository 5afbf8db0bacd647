import type { Client } from '../../client/client.js';
import { ParseError, parseArguments } from '../args/flag-set.js';
import { splitWords } from '../args/tokens.js';
import { CommandFailure, ExitCode } from '../exit.js';
import { LineReader } from '../line-reader.js';
import type { Printer } from '../printers/printer.js';
import type { Terminal } from '../terminal.js';
import {
  WATCH_FLAGS,
  WatchArgumentError,
  type WatchEnvironment,
  watchArguments,
  watchOptions,
} from './arguments.js';
import { showWatch } from './show.js';

/**
 * `watch -i`: each line of stdin starts a watch or asks for progress (reference: cli 4.6).
 *
 * Trap: the end of stdin ends the program at once, running watches included.
 * @throws CommandFailure always, in the end
 */
export async function watchInteractively(
  client: Client,
  terminal: Terminal,
  printer: Printer,
  environment: WatchEnvironment,
): Promise<never> {
  const reader = new LineReader(terminal.stdin);
  // Node 20 has no Promise.withResolvers.
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  for (;;) {
    const line = await Promise.race([reader.readLine(), failed]);
    if (line === undefined) {
      throw new CommandFailure(ExitCode.InvalidInput, 'error reading watch request line: EOF');
    }
    const words = splitWords(line);
    if (words.length === 0) {
      terminal.error(`Invalid command: ${line} (watch and progress supported)\n`);
    } else if (words[0] === 'progress') {
      client.watch.requestProgress(true);
    } else if (words[0] !== 'watch') {
      terminal.error(`Invalid command ${line} (only support watch)\n`);
    } else if (words.length < 2 && environment.key === '') {
      terminal.error(`Invalid command ${line} (command type or key is not provided)\n`);
    } else {
      startWatch(words.slice(1), line).catch(fail);
    }
  }

  async function startWatch(words: readonly string[], line: string): Promise<void> {
    const { flags, keys, exec } = parseLine(words, environment);
    let options: ReturnType<typeof watchOptions>;
    try {
      options = watchOptions(keys, flags);
    } catch (error) {
      if (!(error instanceof WatchArgumentError)) throw error;
      terminal.error(`Invalid command ${line} (${error.message})\n`);
      return;
    }
    await showWatch(client.watch.watch(options), exec, terminal, printer);
  }
}

function parseLine(words: readonly string[], environment: WatchEnvironment) {
  try {
    const input = parseArguments(WATCH_FLAGS, words);
    return { flags: input.flags, ...watchArguments(input, environment) };
  } catch (error) {
    if (error instanceof WatchArgumentError || error instanceof ParseError) {
      throw new CommandFailure(ExitCode.BadArguments, error.message);
    }
    throw error;
  }
}
