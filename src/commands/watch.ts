import type { ParsedArguments } from '../cli/args/flag-set.js';
import { ClientCommand } from '../cli/client-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Section } from '../cli/faces.js';
import {
  WATCH_FLAGS,
  WATCH_VARIABLES,
  WatchArgumentError,
  watchArguments,
  watchEnvironment,
  watchOptions,
} from '../cli/watch/arguments.js';
import { watchInteractively } from '../cli/watch/interactive.js';
import { showWatch } from '../cli/watch/show.js';

/** `watch` (reference: cli 4.6). */
export default class Watch extends ClientCommand<typeof WATCH_FLAGS> {
  static override summary = 'Watches events stream on keys or prefixes';
  static override usage =
    'watch [options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]';
  static override section: Section = 'Key-value commands';
  static override flags = WATCH_FLAGS;
  protected override readonly ownVariables = WATCH_VARIABLES;

  protected override async execute(input: ParsedArguments<typeof WATCH_FLAGS>): Promise<void> {
    try {
      await this.watch(input);
    } catch (error) {
      if (!(error instanceof WatchArgumentError)) throw error;
      throw new CommandFailure(ExitCode.BadArguments, error.message);
    }
  }

  private async watch(input: ParsedArguments<typeof WATCH_FLAGS>): Promise<void> {
    const environment = watchEnvironment(this.terminal.environment);
    if (input.flags.interactive) {
      await this.withClient('none', ({ client, printer }) =>
        watchInteractively(client, this.terminal, printer, environment),
      );
      return;
    }
    const { keys, exec } = watchArguments(input, environment);
    const options = watchOptions(keys, input.flags);
    await this.withClient('none', async ({ client, printer }) => {
      await showWatch(client.watch.watch(options), exec, this.terminal, printer);
      throw new CommandFailure(ExitCode.Interrupted, 'watch is canceled by the server');
    });
  }
}
