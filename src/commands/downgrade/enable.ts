import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import { downgradeTarget } from '../../cli/downgrade-target.js';
import type { Section } from '../../cli/faces.js';
import { DowngradeRequest_DowngradeAction as DowngradeAction } from '../../proto/gen/etcdserverpb/rpc.js';

/** `downgrade enable` (reference: cli 5.9). */
export default class DowngradeEnable extends ClientCommand<Record<string, never>> {
  static override summary = 'Start a downgrade action to cluster';
  static override usage = 'downgrade enable <TARGET_VERSION>';
  static override section: Section = 'Cluster maintenance commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const version = downgradeTarget(positionals);
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const request = { action: DowngradeAction.ENABLE, version };
      const response = await client.maintenance.downgrade(request, options);
      this.terminal.out(printer.downgradeEnable(response));
    });
  }
}
