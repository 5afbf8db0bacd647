import { BaseCommand } from '../cli/base-command.js';
import { FACES, type Face } from '../cli/faces.js';
import { flagUsages } from '../cli/help.js';
import { helpFlag } from '../cli/manifest.js';

/** `options`: the flags that help pages leave out (reference: cli 8.3). */
export default class Options extends BaseCommand<Record<string, never>> {
  static override summary = 'Show the global command-line flags';
  static override usage = 'options';
  static override faces: readonly Face[] = ['etcdkit', 'etcdctl'];

  protected override async execute(): Promise<void> {
    const flags = Object.entries(FACES[this.invocation.face].globalFlags);
    const usages = flagUsages(flags.map(([name, flag]) => helpFlag(name, flag)));
    this.terminal.out(`The following options can be passed to any command:\n\n${usages}`);
  }
}
