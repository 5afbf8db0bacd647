import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';
import { DowngradeRequest_DowngradeAction as DowngradeAction } from '../../proto/gen/etcdserverpb/rpc.js';

/** `downgrade cancel` (reference: cli 5.9). Arguments mean nothing to it, as in etcdctl. */
export default class DowngradeCancel extends ClientCommand<Record<string, never>> {
  static override summary = 'Cancel the ongoing downgrade action to cluster';
  static override usage = 'downgrade cancel';
  static override section: Section = 'Cluster maintenance commands';

  protected override async execute(): Promise<void> {
    await this.withClient('before-setup', async ({ client, printer, options }) => {
      const request = { action: DowngradeAction.CANCEL, version: '' };
      const response = await client.maintenance.downgrade(request, options);
      this.terminal.out(printer.downgradeCancel(response));
    });
  }
}
