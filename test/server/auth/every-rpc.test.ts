import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';
import { AuthCalls } from '../../support/auth-calls.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';
import {
  methodsWithoutRow,
  NAMED_ROWS,
  outcomeOf,
  refusalOf,
  SECRET,
  setUp,
  tokenOf,
} from './every-rpc-table.js';

describe('with authentication on, every RPC with a token', () => {
  let directory: TempDir;
  let etcd: TestEtcd;
  let calls: AuthCalls;

  beforeAll(async () => {
    directory = await makeTempDir();
    const secretFile = join(directory.path, 'secret');
    await writeFile(secretFile, SECRET);
    const token = `--auth-token=jwt,sign-method=HS256,priv-key=${secretFile}`;
    etcd = await startEtcd({ flags: [token, '--bcrypt-cost=4'] });
    calls = new AuthCalls(etcd.endpoint);
    await setUp(calls);
  });
  afterAll(async () => {
    calls.close();
    await etcd.stop();
    await directory.remove();
  });

  it('has a row', () => expect(methodsWithoutRow()).toEqual([]));

  it.each(NAMED_ROWS)('%i %s', async (_index, _path, row) => {
    const [, , nobody, limited, root, old] = row;
    const outcome = (token?: string) => outcomeOf(calls, row, token);
    expect(await outcome(), 'nobody').toBe(nobody);
    expect(await outcome(await tokenOf(calls, 'limited')), 'limited').toBe(limited);
    if (root !== '') {
      expect(await outcome(await tokenOf(calls, 'root')), 'root').toBe(root);
      const token = await tokenOf(calls, 'root', { age: 1 });
      expect(await outcome(token), 'old').toBe(old);
    }
    const forged = await tokenOf(calls, 'root', { secret: 'of another cluster' });
    expect(await outcome(forged), 'forged').toBe(refusalOf(row));
    const expired = await tokenOf(calls, 'root', { lifeSeconds: -1 });
    expect(await outcome(expired), 'expired').toBe(refusalOf(row));
    expect(await outcome('nonsense'), 'nonsense').toBe(refusalOf(row));
  });
});
