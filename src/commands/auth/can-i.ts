import { keyText } from '../../base/bytes.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag } from '../../cli/args/flags.js';
import {
  ACCESS_KINDS,
  type Access,
  judge,
  MAY_EVERYTHING,
  type RolePermissions,
  type Verdict,
} from '../../cli/auth/access.js';
import { ClientCommand, type ClientContext } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import { type KeyRange, keyRange, type RangeFlags } from '../../cli/kv/key-range.js';
import { RpcError } from '../../proto/errors.js';

const FLAGS = {
  prefix: boolFlag('ask about all keys with matching prefix'),
  'from-key': boolFlag(
    'ask about all keys that are greater than or equal to the given key using byte compare',
  ),
};

const ROOT = 'root';

/**
 * `auth can-i`, which etcdctl has not: may a user read or write a key or a range, and by which rule?
 * Exits with 1 if not. It asks for the user and its roles only, so every etcd can answer, and users
 * may ask about themselves.
 */
export default class AuthCanI extends ClientCommand<typeof FLAGS> {
  static override summary = 'Says whether a user may read or write a key, and why';
  static override usage = 'auth can-i [options] <user name> <read or write> <key> [range_end]';
  static override section: Section = 'Authentication commands';
  static override flags = FLAGS;

  protected override async execute(input: ParsedArguments<typeof FLAGS>): Promise<void> {
    const [user, kind, key, end] = input.positionals;
    const access = ACCESS_KINDS.find((known) => known === kind?.toLowerCase());
    if (user === undefined || access === undefined || key === undefined) {
      throw badArguments('auth can-i requires user name, read or write, and key [range_end]');
    }
    const range = wantedRange(key, end, input.flags);
    await this.withClient('before-setup', async (context) => {
      const verdict = await verdictFor(context, user, access, range);
      this.terminal.out(context.printer.access({ user, access, range, verdict }));
      await this.tellIfOff(context);
      if (!verdict.allowed) throw new CommandFailure(ExitCode.Error);
    });
  }

  private async tellIfOff(context: ClientContext): Promise<void> {
    if (await isOff(context)) {
      this.terminal.error('Authentication is off: until it is enabled, everybody may do all.\n');
    }
  }
}

function wantedRange(key: string, end: string | undefined, flags: RangeFlags): KeyRange {
  if (flags.prefix && flags['from-key']) {
    throw badArguments('--from-key and --prefix flags are mutually exclusive');
  }
  if (end !== undefined && (flags.prefix || flags['from-key'])) {
    throw badArguments('unexpected range_end with --prefix or --from-key');
  }
  const range = keyRange(key, end, flags);
  if (range.key.length === 0) throw badArguments('the key is empty');
  return range;
}

async function verdictFor(
  { client, options }: ClientContext,
  user: string,
  access: Access,
  { key, rangeEnd }: KeyRange,
): Promise<Verdict> {
  const { roles } = await client.auth.userGet(user, options);
  // The role root counts even if nobody made it.
  if (roles.includes(ROOT)) return MAY_EVERYTHING;
  const granted: RolePermissions[number][] = [];
  for (const role of roles) {
    granted.push({ role, permissions: (await client.auth.roleGet(role, options)).perm });
  }
  return judge(granted, access, { key: keyText(key), rangeEnd: keyText(rangeEnd) });
}

async function isOff({ client, options }: ClientContext): Promise<boolean> {
  try {
    return !(await client.auth.status(options)).enabled;
  } catch (error) {
    // Unknown to 3.4, and for root alone in 3.5 and 3.6: then the verdict must stand by itself.
    if (error instanceof RpcError) return false;
    throw error;
  }
}

function badArguments(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
