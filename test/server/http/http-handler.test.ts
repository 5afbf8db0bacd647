import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../../src/base/logger.js';
import { etcdError } from '../../../src/proto/errors.js';
import { resolveFeatureGates } from '../../../src/server/config/feature-gates.js';
import type { HealthSource } from '../../../src/server/http/health.js';
import {
  createClientHandler,
  createMetricsHandler,
  type HttpHandlerOptions,
} from '../../../src/server/http/http-handler.js';
import { MetricRegistry } from '../../../src/server/metrics/registry.js';
import { createServerMetrics } from '../../../src/server/metrics/server-metrics.js';
import { listenOnLoopback } from '../../support/loopback.js';

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Member {
  alarms: string[];
  leader: boolean;
  learner: boolean;
  linearizable: Error | undefined;
  serializable: Error | undefined;
}

let member: Member;
let logged: [string, LogFields | undefined][];
const servers: http.Server[] = [];

const source: HealthSource = {
  activeAlarms: () => member.alarms,
  hasLeader: () => member.leader,
  isLearner: () => member.learner,
  linearizableRead: async () => {
    if (member.linearizable !== undefined) throw member.linearizable;
  },
  serializableRead: async () => {
    if (member.serializable !== undefined) throw member.serializable;
  },
};

beforeEach(() => {
  logged = [];
  member = {
    alarms: [],
    leader: true,
    learner: false,
    linearizable: undefined,
    serializable: undefined,
  };
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
});

function options(overrides: Partial<HttpHandlerOptions> = {}): HttpHandlerOptions {
  const metrics = createServerMetrics({
    serverVersion: '3.7.1',
    runtimeVersion: 'node',
    features: resolveFeatureGates(new Map()),
  });
  const note = (message: string, fields?: LogFields) => void logged.push([message, fields]);
  const logger: Logger = { ...silentLogger, warn: note, error: note };
  return {
    health: source,
    versions: {
      serverVersion: '3.7.1',
      clusterVersion: () => '3.7.0',
      storageVersion: () => '3.7.0',
    },
    metrics: {
      contentType: MetricRegistry.contentType,
      text: () => metrics.registry.text(),
    },
    healthMetrics: metrics.health,
    scrapeMetrics: metrics.scrape,
    logger,
    cors: ['*'],
    hostWhitelist: ['*'],
    ...overrides,
  };
}

async function serve(handler: http.RequestListener): Promise<number> {
  const server = http.createServer(handler);
  servers.push(server);
  return listenOnLoopback(server);
}

async function ask(
  port: number,
  path: string,
  init: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const request = http.request({ port, host: '127.0.0.1', path, ...init, agent: false });
  request.end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const body = response.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
  return { status: response.statusCode, headers: response.headers, body: body.toString() };
}

const client = (overrides?: Partial<HttpHandlerOptions>) =>
  serve(createClientHandler(options(overrides)));

describe('/health', () => {
  it('is true for a healthy member', async () => {
    const { status, headers, body } = await ask(await client(), '/health');
    expect({ status, body }).toEqual({ status: 200, body: '{"health":"true","reason":""}' });
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(headers['x-content-type-options']).toBeUndefined();
  });

  it.each<[string, Partial<Member>, string, string]>([
    ['alarm', { alarms: ['NOSPACE'] }, '', 'ALARM NOSPACE'],
    [
      'the alarm that is not excluded',
      { alarms: ['NOSPACE', 'CORRUPT'] },
      '?exclude=NOSPACE',
      'ALARM CORRUPT',
    ],
    ['an alarm nobody knows', { alarms: ['FIRE'] }, '', 'ALARM UNKNOWN'],
    ['no leader', { leader: false }, '', 'RAFT NO LEADER'],
    ['no leader, the word not exact', { leader: false }, '?serializable=1', 'RAFT NO LEADER'],
    [
      'a failed read',
      { linearizable: etcdError('Timeout') },
      '',
      'RANGE ERROR:etcdserver: request timed out',
    ],
    [
      'a failed local read',
      { leader: false, serializable: etcdError('Corrupt') },
      '?serializable=true',
      'RANGE ERROR:etcdserver: corrupt cluster',
    ],
    ['an alarm before the leader', { alarms: ['CORRUPT'], leader: false }, '', 'ALARM CORRUPT'],
  ])('is false for %s', async (_name, state, query, reason) => {
    Object.assign(member, state);
    const { status, headers, body } = await ask(await client(), `/health${query}`);
    const output = JSON.stringify({ health: 'false', reason });
    expect({ status, body }).toEqual({ status: 503, body: `${output}\n` });
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(logged.at(-1)).toEqual(['/health error', { output, 'status-code': 503 }]);
  });

  it('can exclude alarms and the leader', async () => {
    Object.assign(member, { alarms: ['NOSPACE', 'CORRUPT'], leader: false });
    const path = '/health?exclude=NOSPACE&exclude=CORRUPT&serializable=true';
    expect((await ask(await client(), path)).status).toBe(200);
  });

  it('counts its results', async () => {
    const port = await client();
    await ask(port, '/health');
    member.leader = false;
    await ask(port, '/health');
    await ask(port, '/health');
    const { body } = await ask(port, '/metrics');
    expect(body).toContain('\netcd_server_health_success 1\n');
    expect(body).toContain('\netcd_server_health_failures 2\n');
  });
});

describe('/livez and /readyz', () => {
  it('say ok, and why when asked', async () => {
    const port = await client();
    const { status, headers, body } = await ask(port, '/livez');
    expect({ status, body }).toEqual({ status: 200, body: 'ok\n' });
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect((await ask(port, '/livez?verbose')).body).toBe('[+]serializable_read ok\nok\n');
    expect((await ask(port, '/readyz?verbose=x')).body).toBe(
      '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n',
    );
    expect((await ask(port, '/readyz/non_learner?verbose')).body).toBe('[+]non_learner ok\nok\n');
  });

  it('tell what failed', async () => {
    Object.assign(member, {
      alarms: ['NOSPACE', 'CORRUPT'],
      learner: true,
      linearizable: etcdError('LeaderChanged'),
    });
    const port = await client();
    const { status, body } = await ask(port, '/readyz');
    expect(status).toBe(503);
    expect(body).toBe(
      '[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n' +
        '[-]linearizable_read failed: etcdserver: leader changed\n[-]non_learner failed: not supported for learner\n\n',
    );
    expect(logged.at(-1)?.[0]).toBe('Health check error');
    expect((await ask(port, '/livez')).status).toBe(200);
    expect(
      (
        await ask(
          port,
          '/readyz?exclude=data_corruption&exclude=linearizable_read&exclude=non_learner',
        )
      ).status,
    ).toBe(200);
    const metrics = (await ask(port, '/metrics')).body;
    expect(metrics).toContain('etcd_server_healthcheck{name="non_learner",type="readyz"} 0');
    expect(metrics).toContain(
      'etcd_server_healthchecks_total{name="serializable_read",status="success",type="livez"} 1',
    );
  });

  it('warn of checks that do not exist', async () => {
    expect((await ask(await client(), '/livez?exclude=foo')).status).toBe(200);
    expect(logged[0]?.[0]).toBe('some health checks cannot be excluded');
  });

  it.each(['/livez/data_corruption', '/readyz/foo', '/livez/', '/livez/serializable_read/x'])(
    'do not know %s',
    async (path) => {
      expect((await ask(await client(), path)).status).toBe(404);
    },
  );
});

describe('other endpoints', () => {
  it('/version', async () => {
    const { headers, body } = await ask(await client(), '/version');
    expect(body).toBe('{"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"}');
    expect(headers['content-type']).toBe('application/json');
    const undecided = await client({
      versions: {
        serverVersion: '3.7.1',
        clusterVersion: () => undefined,
        storageVersion: () => undefined,
      },
    });
    expect((await ask(undecided, '/version')).body).toBe(
      '{"etcdserver":"3.7.1","etcdcluster":"not_decided","storage":"unknown"}',
    );
  });

  it('/metrics, compressed on request', async () => {
    const port = await client();
    const plain = await ask(port, '/metrics');
    expect(plain.headers['content-type']).toBe(
      'text/plain; version=0.0.4; charset=utf-8; escaping=underscores',
    );
    expect(plain.body).toContain('etcd_server_version{server_version="3.7.1"} 1');
    const zipped = await ask(port, '/metrics', { headers: { 'accept-encoding': 'gzip' } });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(zipped.body).toContain('promhttp_metric_handler_requests_total{code="200"} 1');
    expect(zipped.body).toContain('promhttp_metric_handler_requests_in_flight 1');
  });

  it('/debug/vars', async () => {
    const port = await client({
      debugVariables: () => ({ 'raft.status': { id: '1' }, cmdline: ['etcd'] }),
    });
    const { body, headers } = await ask(port, '/debug/vars');
    expect(body).toBe('{\n"cmdline": ["etcd"],\n"raft.status": {"id":"1"}\n}\n');
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it.each(['/health', '/version', '/livez', '/debug/vars'])('%s takes only GET', async (path) => {
    const port = await client();
    const post = await ask(port, path, { method: 'POST' });
    expect(post).toMatchObject({ status: 405, body: 'Method Not Allowed\n' });
    expect(post.headers.allow).toBe('GET');
    expect((await ask(port, path, { method: 'HEAD' })).status).toBe(405);
  });

  it.each(['/', '/nope', '/v2/keys', '/v3/kv/range', '//health', '*'])(
    '%s is 404',
    async (path) => {
      const { status, headers, body } = await ask(await client(), path);
      expect({ status, body }).toEqual({ status: 404, body: '404 page not found\n' });
      expect(headers['x-content-type-options']).toBe('nosniff');
    },
  );

  it('answers 500 when something breaks', async () => {
    const port = await client({
      metrics: { contentType: 'x', text: () => Promise.reject(new Error('broken')) },
    });
    expect((await ask(port, '/metrics')).status).toBe(500);
    expect(logged[0]?.[0]).toBe('failed to serve an HTTP request');
  });
});

describe('access control', () => {
  it('adds CORS headers for every origin by default', async () => {
    const { headers } = await ask(await client(), '/nope');
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-methods']).toBe('POST, GET, OPTIONS, PUT, DELETE');
    expect(headers['access-control-allow-headers']).toBe('accept, content-type, authorization');
  });

  it('adds them for listed origins alone, and serves the others too', async () => {
    const port = await client({ cors: ['https://a.com:443'] });
    const listed = await ask(port, '/version', { headers: { origin: 'https://a.com:443' } });
    expect(listed.headers['access-control-allow-origin']).toBe('https://a.com:443');
    const other = await ask(port, '/version', { headers: { origin: 'https://b.com' } });
    expect(other.status).toBe(200);
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('answers OPTIONS anywhere with an empty 200', async () => {
    const answer = await ask(await client(), '/nope', { method: 'OPTIONS' });
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers['content-length']).toBe('0');
  });

  it('refuses host names that are not listed', async () => {
    const port = await client({ hostWhitelist: ['good.com'] });
    const get = (host: string) => ask(port, '/health', { headers: { host } });
    expect((await get('good.com:2379')).status).toBe(200);
    expect((await get('good.com')).status).toBe(200);
    const refused = await get('evil.com:80');
    expect(refused.status).toBe(421);
    expect(refused.body).toBe(
      '\netcd received your request, but the Host header was unrecognized.\n\nTo fix this, choose one of the following options:\n- Enable TLS, then any HTTPS request will be allowed.\n- Add the hostname you want to use to the whitelist in settings.\n  - e.g. etcd --host-whitelist "evil.com"\n\nThis requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).\n\n',
    );
    expect(logged[0]).toEqual([
      'rejecting HTTP request to prevent DNS rebinding attacks',
      { host: 'evil.com' },
    ]);
  });

  it('is absent on metrics listeners, which serve metrics and health alone', async () => {
    const port = await serve(createMetricsHandler(options({ hostWhitelist: ['good.com'] })));
    const health = await ask(port, '/health');
    expect(health.status).toBe(200);
    expect(health.headers['access-control-allow-origin']).toBeUndefined();
    expect((await ask(port, '/readyz')).status).toBe(200);
    expect((await ask(port, '/metrics')).status).toBe(200);
    expect((await ask(port, '/version')).status).toBe(404);
  });
});
