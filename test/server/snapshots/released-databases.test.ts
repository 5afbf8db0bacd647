import { expect, it } from 'vitest';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { snapshotDatabaseName } from '../../../src/storage/snap/snapshot-file.js';
import { newDisks, startMember } from '../../support/in-memory-member.js';

const SNAP = '/data/member/snap';

it('a snapshot of its own rids a member of the databases that came before it', async () => {
  const disks = newDisks();
  const { member } = await startMember(disks, { snapshotCount: 10 });
  for (const index of [3, 1000]) {
    const path = `${SNAP}/${snapshotDatabaseName(index)}`;
    await (await disks.fs.open(path, { write: true, create: true })).close();
  }
  for (let i = 0; i < 20; i++) {
    const request = PutRequest.create({ key: Buffer.from('k'), value: Buffer.from('v') });
    await member.propose('put', request, PutRequest.encode(request).finish());
  }
  await member.stop();
  const names = await disks.fs.readDirectory(SNAP);
  expect(names.filter((name) => name.endsWith('.snap.db'))).toEqual([snapshotDatabaseName(1000)]);
});
