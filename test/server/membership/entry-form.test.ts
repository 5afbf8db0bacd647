import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { Request } from '../../../src/proto/gen/etcdserverpb/etcdserver.js';
import { InternalRaftRequest } from '../../../src/proto/gen/etcdserverpb/raft_internal.js';
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
} from '../../../src/proto/gen/membershippb/membership.js';
import type { InternalRequest } from '../../../src/proto/hot/internal-request.js';
import { decodeLoggedRequest } from '../../../src/server/apply/store-request.js';
import {
  attributesEntry,
  entryForm,
  versionEntry,
} from '../../../src/server/membership/entry-form.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { sharedPath } from '../../support/shared.js';
import { tempDir } from '../../support/temp-dir.js';

const ATTRIBUTES = { name: 'a<b', clientUrls: ['http://127.0.0.1:2379'] };

describe('the form of attributes and versions', () => {
  it.each([
    // The cluster has left 3.4 behind, whoever could not be asked.
    ['3.7.0', [undefined], 'v3'],
    ['3.5.0', ['3.5.30', undefined], 'v3'],
    // It has not.
    ['3.4.0', ['3.4.23', '3.5.30'], 'v2'],
    ['3.4.0', [undefined, undefined], 'v2'],
    ['3.4.0', ['3.5.1', undefined], 'v2'],
    // One of ours beside a 3.4 that is away.
    ['3.4.0', ['3.7.1', undefined], 'v2'],
    ['3.4.0', ['3.5.1', '3.6.0'], 'v3'],
    ['3.0.0', ['3.4.23', undefined], 'v2'],
    [undefined, ['3.4.23', '3.6.1'], 'v2'],
    // Never if somebody would end on it.
    ['3.4.0', ['3.4.23', '3.7.1'], 'v2'],
    // Nothing is known of others.
    [undefined, [], 'v3'],
    ['3.0.0', [undefined], 'v3'],
    [undefined, ['3.7.1', undefined], 'v3'],
    [undefined, ['3.5.30'], 'v3'],
  ] as const)('at %s with peers of %j is %s', (cluster, peers, form) => {
    expect(entryForm(cluster, peers)).toBe(form);
  });
});

describe('entries', () => {
  it('of the v3 form are internal requests with a header', () => {
    const attributes = attributesEntry('v3', 5n, 0xabcn, ATTRIBUTES);
    expect(InternalRaftRequest.decode(attributes)).toMatchObject({
      header: { ID: 5n, username: '' },
      clusterMemberAttrSet: { memberID: 0xabcn, memberAttributes: ATTRIBUTES },
    });
    const version = versionEntry('v3', 6n, '3.6.0');
    expect(InternalRaftRequest.decode(version)).toMatchObject({
      header: { ID: 6n },
      clusterVersionSet: { ver: '3.6.0' },
    });
  });

  it('of the v2 form are puts into the store', () => {
    expect(Request.decode(attributesEntry('v2', 5n, 0xabcn, ATTRIBUTES))).toMatchObject({
      ID: 5n,
      Method: 'PUT',
      Path: '/0/members/abc/attributes',
      Val: '{"name":"a\\u003cb","clientURLs":["http://127.0.0.1:2379"]}',
    });
    expect(Request.decode(versionEntry('v2', 6n, '3.4.0'))).toMatchObject({
      ID: 6n,
      Method: 'PUT',
      Path: '/0/version',
      Val: '3.4.0',
    });
  });

  it.each(['v2', 'v3'] as const)('of the form %s are read alike', (form) => {
    const attributes = decodeLoggedRequest(attributesEntry(form, 5n, 0xabcn, ATTRIBUTES));
    expect(attributes).toMatchObject({ id: 5n, kind: 'clusterMemberAttrSet', header: { id: 5n } });
    expect(ClusterMemberAttrSetRequest.decode(attributes?.request ?? Buffer.alloc(0))).toEqual({
      memberID: 0xabcn,
      memberAttributes: ATTRIBUTES,
    });
    const version = decodeLoggedRequest(versionEntry(form, 6n, '3.4.0'));
    expect(version).toMatchObject({ id: 6n, kind: 'clusterVersionSet' });
    expect(version?.request.toString('latin1')).toBe('\n\x053.4.0');
  });
});

/** The same request in the v2 form. */
function rewritten({ id, kind, request }: InternalRequest): Buffer | undefined {
  if (kind === 'clusterVersionSet') {
    return versionEntry('v2', id, ClusterVersionSetRequest.decode(request).ver);
  }
  if (kind !== 'clusterMemberAttrSet') return undefined;
  const { memberID, memberAttributes } = ClusterMemberAttrSetRequest.decode(request);
  return attributesEntry('v2', id, memberID, memberAttributes ?? { name: '', clientUrls: [] });
}

describe.skipIf(sharedPath('fixtures') === undefined).each(['3.4.23', '3.5.30'])(
  'the log of etcd %s',
  (version) => {
    it('holds the same bytes', async () => {
      const directory = await tempDir();
      const archive = sharedPath('fixtures', `v${version}.data-dir.tar.gz`) ?? '';
      await promisify(execFile)('tar', ['xzf', archive, '-C', directory]);
      const { entries } = await readWal(nodeFs, join(directory, 'data/member/wal'));
      const seen: unknown[] = [];
      for (const { type, data } of entries) {
        if (type !== 0 || data.length === 0) continue;
        const found = decodeLoggedRequest(data);
        const written = found === undefined ? undefined : rewritten(found);
        if (found === undefined || written === undefined) continue;
        expect(written.equals(data)).toBe(true);
        seen.push(found.kind);
      }
      expect(new Set(seen)).toEqual(new Set(['clusterMemberAttrSet', 'clusterVersionSet']));
    });
  },
);
