import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/proto/decode-error.js';
import { Request } from '../../../src/proto/gen/etcdserverpb/etcdserver.js';
import { decodeLoggedRequest, StoreWriteError } from '../../../src/server/apply/store-request.js';

function stored(fields: Partial<Request>): Buffer {
  return Buffer.from(Request.encode(Request.create({ ID: 3n, Dir: false, ...fields })).finish());
}

/** As field 2 of an InternalRaftRequest, where etcd 3.4 still looks for it. */
function wrapped(request: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x12, request.length]), request]);
}

describe('entries for the v2 store', () => {
  const version = stored({ Method: 'PUT', Path: '/0/version', Val: '3.4.0' });

  it('are read inside of an internal request too', () => {
    expect(decodeLoggedRequest(wrapped(version))).toEqual(decodeLoggedRequest(version));
    expect(decodeLoggedRequest(version)?.kind).toBe('clusterVersionSet');
  });

  it.each(['SYNC', 'QGET', 'GET'])('that change nothing are nothing: %s', (Method) => {
    expect(decodeLoggedRequest(stored({ Method, Path: '/1/a', Time: 5n }))).toBeUndefined();
  });

  it.each([
    { Method: 'PUT', Path: '/1/key', Val: 'v' },
    { Method: 'DELETE', Path: '/0/members/1/attributes' },
    { Method: 'PUT', Path: '/0/members/xyz/attributes', Val: '{}' },
    { Method: 'PUT', Path: '/0/members/1/attributes', Val: '{' },
    { Method: 'POST', Path: '/0/version' },
  ])('that write anything else are refused: $Method $Path $Val', (fields) => {
    expect(() => decodeLoggedRequest(stored(fields))).toThrow(StoreWriteError);
  });

  it('may have attributes without any of them', () => {
    const path = '/0/members/ff/attributes';
    for (const Val of ['{}', 'null', '{"name":5,"clientURLs":null}']) {
      const found = decodeLoggedRequest(stored({ Method: 'PUT', Path: path, Val }));
      expect(found?.kind).toBe('clusterMemberAttrSet');
    }
  });
});

describe('entries that are damaged', () => {
  it.each([[[0x1a, 0x05, 0x01]], [[0xff]], [[0x22, 0x02, 0x0a]]])('are not taken: %j', (bytes) => {
    expect(() => decodeLoggedRequest(Buffer.from(bytes))).toThrow(DecodeError);
  });
});
