import { findCommand, UnknownCommandError } from '../cli/args/command-tree.js';
import type { ParsedArguments } from '../cli/args/flag-set.js';
import { quoteWords } from '../cli/args/quote-words.js';
import { BaseCommand } from '../cli/base-command.js';
import { faceTree } from '../cli/face-tree.js';
import type { Face } from '../cli/faces.js';
import { helpPage, usagePage } from '../cli/help.js';

/** `help [command]`: what `<command> --help` prints. */
export default class Help extends BaseCommand<Record<string, never>> {
  static override summary = 'Help about any command';
  static override description = `Help provides help for any command in the application.
Simply type help [path to command] for full details.`;
  static override usage = 'help [command]';
  static override faces: readonly Face[] = ['etcdkit', 'etcdctl', 'etcdutl', 'etcd-dump-db'];

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    const { face, commands } = this.invocation;
    const root = faceTree(face, commands);
    try {
      const found = findCommand(root, positionals);
      this.terminal.out(helpPage(face, found, commands));
    } catch (error) {
      if (!(error instanceof UnknownCommandError)) throw error;
      // Not a failure to cobra: it exits with 0.
      const usage = usagePage(face, { path: [root], node: root, argv: [] }, commands);
      this.terminal.error(`Unknown help topic ${quoteWords(positionals, '`')}\n${usage}`);
    }
  }
}
