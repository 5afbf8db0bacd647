import { spawn } from 'node:child_process';
import { quoteGo } from '../../base/go-format.js';
import { type Event, Event_EventType } from '../../proto/gen/mvccpb/kv.js';
import { quoteWords } from '../args/quote-words.js';
import { CommandFailure, ExitCode } from '../exit.js';
import type { Terminal } from '../terminal.js';

/**
 * Runs the exec command of a watch for one event, without a shell (reference: cli 4.6).
 * @throws CommandFailure if it cannot be started or does not exit with 0
 */
export async function runForEvent(
  words: readonly string[],
  event: Event,
  revision: number,
  terminal: Terminal,
): Promise<void> {
  const type = event.type === Event_EventType.DELETE ? 'DELETE' : 'PUT';
  const environment = {
    ...terminal.environment,
    ETCD_WATCH_REVISION: String(revision),
    // Trap: the quotes are part of these three values.
    ETCD_WATCH_EVENT_TYPE: quoteGo(type),
    ETCD_WATCH_KEY: quoteGo(event.kv?.key ?? ''),
    ETCD_WATCH_VALUE: quoteGo(event.kv?.value ?? ''),
  };
  const problem = await runToEnd(words, environment);
  if (problem === undefined) return;
  terminal.error(`command ${quoteWords(words)} error (${problem})\n`);
  throw new CommandFailure(ExitCode.Error);
}

/** Runs a command to its end; tells in Go's words what went wrong, if something did. */
function runToEnd(
  [program = '', ...rest]: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, rest, {
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT' && !program.includes('/');
      resolve(
        missing
          ? `exec: ${quoteGo(program)}: executable file not found in $PATH`
          : `fork/exec ${program}: ${error.code === 'ENOENT' ? 'no such file or directory' : error.message}`,
      );
    });
    child.on('close', (code, signal) => {
      if (signal !== null) resolve(`signal: ${SIGNAL_WORDS[signal] ?? signal}`);
      else resolve(code === 0 ? undefined : `exit status ${code}`);
    });
  });
}

/** Signals by the words Go has for them. */
const SIGNAL_WORDS: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGSEGV: 'segmentation fault',
};
