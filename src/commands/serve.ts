import { BaseCommand } from '../cli/base-command.js';
import type { Section } from '../cli/faces.js';
import { serveAndExit } from '../cli/serve-host.js';

/** `serve`: one member of a cluster. Its flags are those of `etcd`, in Go's manner. */
export default class Serve extends BaseCommand<Record<string, never>> {
  static override summary = 'Starts an etcd server';
  static override usage = 'serve [flags of etcd]';
  static override section: Section = 'Server commands';
  static override faces = ['etcdkit'] as const;

  /** The server has a parser of its own: nothing of the command line is looked at here. */
  override async run(): Promise<void> {
    this.parsed = true;
    await serveAndExit(this.argv);
  }

  protected override async execute(): Promise<void> {
    await this.run();
  }
}
