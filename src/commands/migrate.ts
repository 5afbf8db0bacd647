import type { ParsedArguments } from '../cli/args/flag-set.js';
import { parseGoInt } from '../cli/args/flag-values.js';
import { boolFlag, valueFlag } from '../cli/args/flags.js';
import { DatabaseCommand } from '../cli/database-command.js';
import { CommandFailure, ExitCode } from '../cli/exit.js';
import type { Face, Section } from '../cli/faces.js';
import { consoleLine, ToolLogger } from '../cli/tool-log.js';
import { migrateDataDirectory, type TargetVersion, versionText } from '../offline/migrate.js';
import { nodeClock } from '../platform/node-clock.js';

const FLAGS = {
  'data-dir': valueFlag('string', '', 'Path to the etcd data dir'),
  'target-version': valueFlag(
    'string',
    '',
    'Target etcd version to migrate contents of data dir. Minimal value 3.5. Format "X.Y" for example 3.6.',
  ),
  force: boolFlag(
    'Ignore migration failure and forcefully override storage version. Not recommended.',
  ),
};

const REQUIRED = ['data-dir', 'target-version'] as const;
/** Where the face has no `--timeout`: how long to wait for the lock of a file, milliseconds. */
const LOCK_TIMEOUT_MILLIS = 10_000;

/** `migrate` (reference: cli 10.5). */
export default class Migrate extends DatabaseCommand<typeof FLAGS> {
  static override summary =
    'Migrates schema of etcd data dir files to make them compatible with different etcd version';
  static override usage = 'migrate';
  static override section: Section = 'Cluster maintenance commands';
  static override faces: readonly Face[] = ['etcdkit', 'etcdutl'];
  static override flags = FLAGS;

  protected override async execute({ flags }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const missing = REQUIRED.filter((name) => !this.parsedArguments.given.has(name));
    if (missing.length > 0) {
      const names = missing.map((name) => `"${name}"`).join(', ');
      throw new CommandFailure(ExitCode.Error, `required flag(s) ${names} not set`);
    }
    const target = targetVersion(flags['target-version']);
    const { timeout = LOCK_TIMEOUT_MILLIS } = this.parsedArguments.flags;
    await this.reading('migrating', () =>
      migrateDataDirectory(flags['data-dir'], {
        target,
        force: flags.force,
        logger: new ToolLogger(this.terminal, 'info', undefined, 'offline/migrate.ts', consoleLine),
        clock: nodeClock,
        // The declared kind of etcdutl's flag makes this a number.
        lockTimeoutMillis: Number(timeout),
      }),
    );
  }
}

/** @throws CommandFailure */
function targetVersion(text: string): TargetVersion {
  const parts = text.split('.');
  if (parts.length !== 2) {
    throw badVersion(`wrong target version format, expected "X.Y", got "${text}"`);
  }
  const [major = 0, minor = 0] = parts.map((part) => {
    try {
      return Number(parseGoInt(part, 10));
    } catch (error) {
      throw badVersion(`failed to parse target version: ${(error as Error).message}`);
    }
  });
  const target = { major, minor };
  if (major < 3 || (major === 3 && minor < 5)) {
    throw badVersion(`target version "${versionText(target)}" not supported. Minimal "3.5"`);
  }
  return target;
}

function badVersion(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
