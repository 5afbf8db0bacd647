import { API_VERSION, ETCD_VERSION, PACKAGE_VERSION } from '../base/version.js';
import { BaseCommand } from '../cli/base-command.js';
import type { Face } from '../cli/faces.js';

/** `version` (reference: cli 8.3). Drop-in names tell the etcd version whose behaviour they have. */
export default class Version extends BaseCommand<Record<string, never>> {
  static override summary = 'Prints the version of <%= config.bin %>';
  static override usage = 'version';
  static override faces: readonly Face[] = ['etcdkit', 'etcdctl', 'etcdutl'];

  protected override async execute(): Promise<void> {
    const { face } = this.invocation;
    const lines =
      face === 'etcdkit'
        ? [`etcdkit version: ${PACKAGE_VERSION}`, `etcd version: ${ETCD_VERSION}`]
        : [`${face} version: ${ETCD_VERSION}`];
    this.terminal.out(`${[...lines, `API version: ${API_VERSION}`].join('\n')}\n`);
  }
}
