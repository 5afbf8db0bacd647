import { noArguments } from '../cli/args/argument-count.js';
import type { ParsedArguments } from '../cli/args/flag-set.js';
import { valueFlag } from '../cli/args/flags.js';
import { DatabaseCommand } from '../cli/database-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Face, Section } from '../cli/faces.js';
import { JsonObject } from '../cli/printers/go-json.js';
import { type MemberVerdict, verifyMember } from '../offline/verify-member.js';
import { nodeFs } from '../platform/node-fs.js';

const FLAGS = {
  'data-dir': valueFlag('string', '', 'Required. The data directory of a member that is at rest.'),
  'wal-dir': valueFlag('string', '', 'The directory of its log, if that is elsewhere.'),
};

/** `verify`: the check that etcd makes of itself in its tests, as a command. */
export default class Verify extends DatabaseCommand<typeof FLAGS> {
  static override summary = 'Checks that the log and the database of a data directory fit together';
  static override usage = 'verify';
  static override section: Section = 'Utility commands';
  static override faces: readonly Face[] = ['etcdkit'];
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const { flags, positionals } = input;
    noArguments(positionals, 'verify command accepts no arguments');
    if (flags['data-dir'] === '') {
      throw new CommandFailure(ExitCode.Error, 'required flag(s) "data-dir" not set');
    }
    const format = this.requireFormat('simple', 'json');
    const verdict = await this.reading('verifying', () =>
      verifyMember(nodeFs, flags['data-dir'], flags['wal-dir']),
    );
    await this.write(format === 'json' ? json(verdict) : text(verdict));
    if (verdict.problems.length > 0) {
      throw new CommandFailure(ExitCode.Error, verdict.problems.join('\n'));
    }
  }
}

function text({ log, backend, problems }: MemberVerdict): string {
  const version = backend.storageVersion === '' ? 'unknown' : backend.storageVersion;
  const lines = [
    `log: term ${log.hardState.term}, commit ${log.hardState.commit}, last index ${log.lastIndex}, last snapshot ${log.snapshotIndex}`,
    `database: consistent index ${backend.consistentIndex}, term ${backend.term}, storage version ${version}`,
    ...(log.torn === undefined ? [] : ['the log is torn at its end, which a start repairs']),
    ...(problems.length === 0 ? ['they fit together'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function json({ log, backend, problems }: MemberVerdict): string {
  const object = new JsonObject()
    .requiredNumber('term', log.hardState.term)
    .requiredNumber('commit', log.hardState.commit)
    .requiredNumber('lastIndex', log.lastIndex)
    .requiredNumber('snapshotIndex', log.snapshotIndex)
    .requiredBoolean('torn', log.torn !== undefined)
    .requiredNumber('consistentIndex', backend.consistentIndex)
    .requiredNumber('backendTerm', backend.term)
    .requiredString('storageVersion', backend.storageVersion)
    .strings('problems', problems);
  return `${object.toString()}\n`;
}
