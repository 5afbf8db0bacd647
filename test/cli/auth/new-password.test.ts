import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { newPassword } from '../../../src/cli/auth/new-password.js';
import { CommandFailure } from '../../../src/cli/exit.js';

it('says that it failed to ask for a password', async () => {
  const stdin = new PassThrough();
  const terminal = { environment: {}, stdin, errorIsTerminal: false, out() {}, error() {} };
  const password = newPassword(terminal, 'alice', true);
  stdin.destroy(new Error('broken'));
  await expect(password).rejects.toEqual(new CommandFailure(128, 'failed to ask password: broken'));
});
