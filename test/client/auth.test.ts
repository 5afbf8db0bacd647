import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { errorText } from '../../src/client/errors.js';
import { Permission_Type } from '../../src/proto/gen/authpb/auth.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe.skipIf(!hasRealEtcd)('authentication against a real etcd', () => {
  let etcd: RealEtcd;
  let root: Client;

  beforeAll(async () => {
    etcd = await startRealEtcd();
    const setUp = new Client({ endpoints: [etcd.endpoint] });
    await setUp.auth.userAdd({ name: 'root', password: 'secret' });
    await setUp.auth.roleAdd('root');
    await setUp.auth.userGrantRole('root', 'root');
    await setUp.auth.roleAdd('reader');
    const permission = {
      permType: Permission_Type.READ,
      key: bytes('open'),
      rangeEnd: Buffer.alloc(0),
    };
    await setUp.auth.roleGrantPermission('reader', permission);
    await setUp.auth.userAdd({ name: 'reader', password: 'r' });
    await setUp.auth.userGrantRole('reader', 'reader');
    await setUp.auth.enable();
    setUp.close();
    root = new Client({ endpoints: [etcd.endpoint], user: 'root', password: 'secret' });
  });

  afterAll(async () => {
    root?.close();
    await etcd?.stop();
  });

  async function asReader<Result>(use: (client: Client) => Promise<Result>): Promise<Result> {
    const client = new Client({ endpoints: [etcd.endpoint], user: 'reader', password: 'r' });
    try {
      return await use(client);
    } finally {
      client.close();
    }
  }

  it('logs in at the first call', async () => {
    await root.kv.put({ key: bytes('open'), value: bytes('1') });
    const range = await asReader((client) => client.kv.range({ key: bytes('open') }));
    expect(range.kvs[0]?.value.toString()).toBe('1');
  });

  it('reports a wrong password and a missing user', async () => {
    const wrong = new Client({ endpoints: [etcd.endpoint], user: 'root', password: 'x' });
    expect(await wrong.authenticate().catch(errorText)).toBe(
      'etcdserver: authentication failed, invalid user ID or password',
    );
    wrong.close();
    const nobody = new Client({ endpoints: [etcd.endpoint], user: 'root', password: '' });
    await nobody.authenticate();
    expect(await nobody.kv.range({ key: bytes('open') }).catch(errorText)).toBe(
      'etcdserver: user name is empty',
    );
    nobody.close();
  });

  it('reports what is not permitted, to calls and to watches', async () => {
    await asReader(async (client) => {
      expect(await client.kv.put({ key: bytes('open') }).catch(errorText)).toBe(
        'etcdserver: permission denied',
      );
      const watcher = client.watch.watch({ key: bytes('closed') });
      const { value: update } = await watcher[Symbol.asyncIterator]().next();
      expect(update.canceled).toBe(true);
      expect(errorText(update.error)).toBe(
        'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
      );
    });
  });

  it('logs in again when the users have changed since', async () => {
    await asReader(async (client) => {
      await client.kv.range({ key: bytes('open') });
      await root.auth.userAdd({ name: 'another', password: 'a' });
      const range = await client.kv.range({ key: bytes('open') });
      expect(range.kvs).toHaveLength(1);
    });
  });
});
