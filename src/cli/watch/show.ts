import { errorText } from '../../client/errors.js';
import { isProgress, type Watcher } from '../../client/watcher.js';
import type { Printer } from '../printers/printer.js';
import type { Terminal } from '../terminal.js';
import { runForEvent } from './exec.js';

/**
 * Prints what a watch delivers, and runs the exec command for each event, until the watch ends.
 * @throws CommandFailure if the exec command fails
 */
export async function showWatch(
  watcher: Watcher,
  exec: readonly string[],
  terminal: Terminal,
  printer: Printer,
): Promise<void> {
  for await (const update of watcher) {
    if (update.canceled) terminal.error(`watch was canceled (${errorText(update.error)})\n`);
    const revision = update.header?.revision ?? 0;
    if (isProgress(update)) terminal.out(`progress notify: ${revision}\n`);
    terminal.out(printer.watch(update));
    if (exec.length === 0) continue;
    for (const event of update.events) await runForEvent(exec, event, revision, terminal);
  }
}
