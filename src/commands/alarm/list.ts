import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';

/** `alarm list` (reference: cli 5.5). */
export default class AlarmList extends ClientCommand<Record<string, never>> {
  static override summary = 'Lists all alarms';
  static override usage = 'alarm list';
  static override section: Section = 'Cluster maintenance commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    if (positionals.length > 0) {
      throw new CommandFailure(ExitCode.BadArguments, 'alarm list command accepts no arguments');
    }
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      this.terminal.out(printer.alarm(await client.maintenance.alarmList(options)));
    });
  }
}
