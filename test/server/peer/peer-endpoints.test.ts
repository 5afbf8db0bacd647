import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { etcdError } from '../../../src/proto/errors.js';
import { LeaseKeepAliveRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import {
  createPeerEndpoints,
  type PeerEndpointSource,
} from '../../../src/server/peer/peer-endpoints.js';
import { serveHttp, type TestHttpServer } from '../../support/http-server.js';
import { peerSource } from '../../support/peer-source.js';

let server: TestHttpServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function start(answers: Partial<PeerEndpointSource> = {}): Promise<void> {
  const handle = createPeerEndpoints({
    source: peerSource(answers),
    clock: nodeClock,
    logger: silentLogger,
  });
  server = await serveHttp(handle);
}

function ask(
  method: string,
  path: string,
  body?: Buffer | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const url = new URL(path, server?.url);
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers: { ...headers, ...length } });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      });
    });
    request.end(body);
  });
}

const renewalOf = (ID: bigint) => Buffer.from(LeaseKeepAliveRequest.encode({ ID }).finish());

describe('the endpoints for peers', () => {
  it('leave everything else alone', async () => {
    await start();
    for (const path of ['/', '/raft', '/members/', '/members/x', '/leases/', '/version/']) {
      expect((await ask('GET', path)).status, path).toBe(404);
    }
  });

  it('list members with numeric ids of 64 bits and without empty fields', async () => {
    await start({
      members: () => [
        {
          id: 0x8e9e05c52164694dn,
          peerUrls: ['http://127.0.0.1:2380'],
          isLearner: false,
          name: 'one',
          clientUrls: ['http://127.0.0.1:2379'],
        },
        {
          id: 2n ** 64n - 1n,
          peerUrls: ['http://127.0.0.1:3380'],
          isLearner: true,
          name: '',
          clientUrls: [],
        },
      ],
    });
    const { status, headers, body } = await ask('GET', '/members');
    expect(status).toBe(200);
    expect(headers['x-etcd-cluster-id']).toBe('cdf818194e3a8c32');
    expect(headers['content-type']).toBe('application/json');
    expect(body).toBe(
      '[{"id":10276657743932975437,"peerURLs":["http://127.0.0.1:2380"],"name":"one","clientURLs":["http://127.0.0.1:2379"]},' +
        '{"id":18446744073709551615,"peerURLs":["http://127.0.0.1:3380"],"isLearner":true}]\n',
    );
  });

  it.each([
    ['POST', '/members', 'GET'],
    ['GET', '/members/promote/1', 'POST'],
    ['POST', '/version', 'GET'],
    ['POST', '/downgrade/enabled', 'GET'],
    ['POST', '/members/hashkv', 'GET'],
  ])('refuse %s %s', async (method, path, allowed) => {
    await start();
    const { status, headers, body } = await ask(method, path);
    expect([status, headers.allow, body]).toEqual([405, allowed, 'Method Not Allowed\n']);
  });

  it('refuse other methods for leases in other words', async () => {
    await start();
    for (const path of ['/leases', '/leases/internal']) {
      const { status, headers, body } = await ask('GET', path);
      expect([status, headers.allow, body]).toEqual([405, undefined, 'Method not allowed\n']);
    }
  });

  it('tell the versions', async () => {
    await start();
    expect(await ask('GET', '/version')).toMatchObject({
      status: 200,
      body: '{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}',
    });
  });

  it('promote, and tell what stands against it', async () => {
    const asked: unknown[] = [];
    await start({
      promote: async (id, authorization) => {
        asked.push([id, authorization]);
        if (id === 1n) throw etcdError('MemberNotFound');
        if (id === 2n) throw etcdError('MemberNotLearner');
        if (id === 3n) throw etcdError('LearnerNotReady');
        if (id === 4n) throw etcdError('NotLeader');
        return [];
      },
    });
    const promote = (id: string) => ask('POST', `/members/promote/${id}`);
    expect(await promote('x')).toMatchObject({
      status: 404,
      body: 'member x not found in cluster\n',
    });
    expect(await promote('18446744073709551616')).toMatchObject({
      status: 404,
      body: 'member 18446744073709551616 not found in cluster\n',
    });
    expect(await promote('1')).toMatchObject({ status: 404, body: 'membership: ID not found\n' });
    expect(await promote('2')).toMatchObject({
      status: 412,
      body: 'membership: can only promote a learner member\n',
    });
    expect(await promote('3')).toMatchObject({
      status: 412,
      body: 'etcdserver: can only promote a learner member which is in sync with leader\n',
    });
    expect(await promote('4')).toMatchObject({
      status: 500,
      body: '{"message":"Internal Server Error"}',
    });
    const last = await ask('POST', '/members/promote/10276657743932975437', undefined, {
      Authorization: 'token',
    });
    expect([last.status, last.body]).toEqual([200, '[]\n']);
    expect(asked.at(-1)).toEqual([10276657743932975437n, 'token']);
  });

  it('tell with no newline whether the cluster is on its way down', async () => {
    let isDowngrading = false;
    let fault: Error | undefined;
    await start({
      isDowngrading: () => isDowngrading,
      linearizableRead: async () => {
        if (fault !== undefined) throw fault;
      },
    });
    expect(await ask('GET', '/downgrade/enabled')).toMatchObject({ status: 200, body: 'false' });
    isDowngrading = true;
    expect(await ask('GET', '/downgrade/enabled')).toMatchObject({ status: 200, body: 'true' });
    fault = etcdError('Timeout');
    expect(await ask('GET', '/downgrade/enabled')).toMatchObject({
      status: 500,
      body: 'failed linearized read: etcdserver: request timed out\n',
    });
  });

  it('hash, and leave zeros out', async () => {
    await start({
      hashKeyValues: async (revision) => {
        if (revision === 1) throw etcdError('Compacted');
        if (revision === 9) throw etcdError('FutureRev');
        return { revision: revision || 5, currentRevision: 5, compactRevision: revision, hash: 7 };
      },
    });
    const hash = (body: string, headers = {}) => ask('GET', '/members/hashkv', body, headers);
    expect(await hash('{}')).toMatchObject({
      status: 200,
      body: '{"header":{"revision":5},"hash":7,"hash_revision":5}',
    });
    expect(await hash('{"revision":3}', { 'X-Etcd-Cluster-ID': 'cdf818194e3a8c32' })).toMatchObject(
      {
        status: 200,
        body: '{"header":{"revision":5},"hash":7,"compact_revision":3,"hash_revision":3}',
      },
    );
    expect(await hash('{"revision":1}')).toMatchObject({
      status: 400,
      body: 'mvcc: required revision has been compacted\n',
    });
    expect(await hash('{"revision":9}')).toMatchObject({
      status: 400,
      body: 'mvcc: required revision is a future revision\n',
    });
    expect(await hash('{}', { 'X-Etcd-Cluster-ID': '1' })).toMatchObject({
      status: 412,
      body: 'cluster ID mismatch\n',
    });
    for (const body of ['', 'x', '[]', '3', '{"revision":"3"}', '{"revision":1.5}']) {
      const answer = await hash(body);
      expect([answer.status, answer.body], body).toEqual([400, 'error unmarshalling request\n']);
    }
  });

  it.each(['/leases', '/leases/internal'])('refuse bad and long bodies for %s', async (path) => {
    await start();
    expect(await ask('POST', path, Buffer.from([0xff, 0xff]))).toMatchObject({
      status: 400,
      body: 'error unmarshalling request\n',
    });
    const longest = Buffer.alloc(64 * 1024);
    expect((await ask('POST', path, longest)).status).toBe(400);
    const answer = await ask('POST', path, Buffer.alloc(64 * 1024 + 1));
    expect([answer.status, answer.headers.connection]).toEqual([413, 'close']);
  });

  it('tell a renewal that has to wait too long from one that finds no lease', async () => {
    let refusal = etcdError('TimeoutWaitAppliedIndex');
    await start({
      waitApplied: async (millis) => {
        expect(millis).toBe(1000);
        if (refusal.message === etcdError('TimeoutWaitAppliedIndex').message) throw refusal;
      },
      renewLease: async () => {
        throw refusal;
      },
    });
    expect(await ask('POST', '/leases', renewalOf(7n))).toMatchObject({
      status: 408,
      body: 'waiting for node to catch up its applied index has timed out\n',
    });
    refusal = etcdError('LeaseNotFound');
    expect(await ask('POST', '/leases', renewalOf(7n))).toMatchObject({
      status: 404,
      body: 'lease not found\n',
    });
    refusal = etcdError('NotPrimaryLessor');
    expect(await ask('POST', '/leases', renewalOf(7n))).toMatchObject({
      status: 400,
      body: 'not a primary lessor\n',
    });
  });

  it('give up a renewal when nobody waits for it any more', async () => {
    let entered = () => {};
    const called = new Promise<void>((resolve) => {
      entered = resolve;
    });
    let aborted: Promise<void> | undefined;
    await start({
      renewLease: (_id, signal) => {
        aborted = new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve());
        });
        entered();
        return new Promise(() => {});
      },
    });
    const request = httpRequest(new URL('/leases', server?.url), { method: 'POST' });
    request.on('error', () => {});
    request.end(renewalOf(7n));
    await called;
    request.destroy();
    await aborted;
  });

  it('gives up a body that does not come', async () => {
    let expire: () => void = () => {};
    const armed = new Promise<void>((resolve) => {
      const clock = {
        setTimer: (_millis: number, callback: () => void) => {
          expire = callback;
          resolve();
          return { cancel: () => {} };
        },
      };
      void serveHttp(
        createPeerEndpoints({ source: peerSource(), clock, logger: silentLogger }),
      ).then((started) => {
        server = started;
        const request = httpRequest(new URL('/leases', started.url), {
          method: 'POST',
          headers: { 'Content-Length': 10 },
        });
        request.on('error', () => {});
        request.on('response', (response) => {
          answered(response.statusCode ?? 0);
          response.resume();
        });
        request.write('12345');
      });
    });
    let answered: (status: number) => void = () => {};
    const status = new Promise<number>((resolve) => {
      answered = resolve;
    });
    await armed;
    expire();
    expect(await status).toBe(400);
  });
});
