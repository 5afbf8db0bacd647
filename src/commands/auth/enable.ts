import { noArguments } from '../../cli/args/argument-count.js';
import type { ParsedArguments } from '../../cli/args/flag-set.js';
import { ClientCommand } from '../../cli/client-command.js';
import type { Section } from '../../cli/faces.js';
import type { AuthClient } from '../../client/auth-client.js';
import type { CallOptions } from '../../client/caller.js';
import { isEtcdError } from '../../proto/errors.js';

const ROOT = 'root';

/** `auth enable` (reference: cli 7). */
export default class AuthEnable extends ClientCommand<Record<string, never>> {
  static override summary = 'Enables authentication';
  static override usage = 'auth enable';
  static override section: Section = 'Authentication commands';

  protected override async execute({
    positionals,
  }: ParsedArguments<Record<string, never>>): Promise<void> {
    noArguments(positionals, 'auth enable command does not accept any arguments');
    await this.withClient('before-setup', async ({ client, options }) => {
      await enable(client.auth, options);
    });
    this.terminal.out('Authentication Enabled\n');
  }
}

/** Gives the user root the role root where that is all that is missing, as etcdctl does. */
async function enable(auth: AuthClient, options: CallOptions): Promise<void> {
  try {
    await auth.enable(options);
  } catch (error) {
    if (!isEtcdError(error, 'RootRoleNotExist')) throw error;
    await addRootRole(auth, options);
    await auth.userGrantRole(ROOT, ROOT, options);
    await auth.enable(options);
  }
}

async function addRootRole(auth: AuthClient, options: CallOptions): Promise<void> {
  try {
    await auth.roleAdd(ROOT, options);
  } catch (error) {
    if (!isEtcdError(error, 'RoleAlreadyExist')) throw error;
  }
}
