import { singleArgument } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { boolFlag, type FlagValues, valueFlag } from '../../cli/args/flags.js';
import { newPassword } from '../../cli/auth/new-password.js';
import { ClientCommand } from '../../cli/client-command.js';
import { CommandFailure, ExitCode } from '../../cli/exit.js';
import type { Section } from '../../cli/faces.js';
import type { AuthUserAddRequest } from '../../proto/gen/etcdserverpb/rpc.js';

const FLAGS = {
  interactive: boolFlag('Read password from stdin instead of interactive terminal', {
    defaultOn: true,
  }),
  'new-user-password': valueFlag('string', '', 'Supply password from the command line flag'),
  'no-password': boolFlag('Create a user without password (CN based auth only)'),
};

type NewUser = Pick<AuthUserAddRequest, 'name' | 'password' | 'options'>;

/** `user add` (reference: cli 7). It has no deadline. */
export default class UserAdd extends ClientCommand<typeof FLAGS> {
  static override summary = 'Adds a new user';
  static override usage = 'user add <user name or user:password> [options]';
  static override section: Section = 'Authentication commands';
  static override flags = FLAGS;

  protected override async execute({
    flags,
    positionals,
  }: ParsedArguments<typeof FLAGS>): Promise<void> {
    const argument = singleArgument(
      positionals,
      'user add command requires user name as its argument',
    );
    const user = await this.newUser(argument, flags);
    await this.withClient('none', async ({ client, printer }) => {
      this.terminal.out(printer.userAdd(user.name, await client.auth.userAdd(user)));
    });
  }

  /** Trap: the colon divides only if neither flag says where the password is. */
  private async newUser(argument: string, flags: FlagValues<typeof FLAGS>): Promise<NewUser> {
    const options = { noPassword: flags['no-password'] };
    if (options.noPassword) return { name: argument, password: '', options };
    const given = flags['new-user-password'];
    if (given !== '') return { name: argument, password: given, options };
    const colon = argument.indexOf(':');
    if (colon === 0) {
      throw new CommandFailure(ExitCode.BadArguments, 'empty user name is not allowed');
    }
    if (colon > 0) {
      const password = argument.slice(colon + 1);
      return { name: argument.slice(0, colon), password, options };
    }
    const password = await newPassword(this.terminal, argument, flags.interactive);
    return { name: argument, password, options };
  }
}
