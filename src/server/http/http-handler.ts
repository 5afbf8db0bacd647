import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from '../../base/logger.js';
import { AccessControl } from './access-control.js';
import { HealthEndpoints, type HealthMetrics, type HealthSource } from './health.js';
import { type MetricsSource, type ScrapeMetrics, serveMetrics } from './metrics-endpoint.js';
import { allowOnlyGet, reply, replyError, replyNotFound } from './responses.js';

/** Versions as `/version` shows them. */
export interface VersionSource {
  readonly serverVersion: string;
  /** e.g. `3.7.0`; undefined: not decided yet. */
  clusterVersion(): string | undefined;
  /** e.g. `3.7.0`; undefined: unknown. */
  storageVersion(): string | undefined;
}

export interface HttpHandlerOptions {
  readonly health: HealthSource;
  readonly versions: VersionSource;
  readonly metrics: MetricsSource;
  readonly healthMetrics: HealthMetrics;
  readonly scrapeMetrics: ScrapeMetrics;
  readonly logger: Logger;
  readonly cors: readonly string[];
  readonly hostWhitelist: readonly string[];
  /** Values of `/debug/vars` by name, as JSON makes them. */
  readonly debugVariables?: () => Readonly<Record<string, unknown>>;
}

type Endpoint = (
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
) => Promise<boolean> | boolean;

/** Serves HTTP on client listeners: health, version, metrics, variables; 404 for the rest. */
export function createClientHandler(options: HttpHandlerOptions): RequestListener {
  const access = new AccessControl(options);
  const endpoints: Endpoint[] = [
    (request, _url, response) => !access.admit(request, response),
    ...observationEndpoints(options),
    versionEndpoint(options.versions),
    variablesEndpoint(options.debugVariables ?? (() => ({}))),
  ];
  return listener(endpoints, options.logger);
}

/** Serves HTTP on metrics listeners: health and metrics, with no access control. */
export function createMetricsHandler(options: HttpHandlerOptions): RequestListener {
  return listener(observationEndpoints(options), options.logger);
}

function observationEndpoints(options: HttpHandlerOptions): Endpoint[] {
  const health = new HealthEndpoints({
    source: options.health,
    metrics: options.healthMetrics,
    logger: options.logger,
  });
  return [
    (request, url, response) => health.serve(request, url, response),
    async (request, url, response) => {
      if (url.pathname !== '/metrics') return false;
      await serveMetrics(options.metrics, options.scrapeMetrics, request, response);
      return true;
    },
  ];
}

function versionEndpoint(versions: VersionSource): Endpoint {
  return (request, url, response) => {
    if (url.pathname !== '/version') return false;
    serveVersion(versions, request, response);
    return true;
  };
}

/** Answers `/version`, for clients and for peers. */
export function serveVersion(
  versions: VersionSource,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (!allowOnlyGet(request.method, response)) return;
  const body = JSON.stringify({
    etcdserver: versions.serverVersion,
    etcdcluster: versions.clusterVersion() ?? 'not_decided',
    storage: versions.storageVersion() ?? 'unknown',
  });
  reply(response, 200, body, { 'Content-Type': 'application/json' });
}

function variablesEndpoint(read: () => Readonly<Record<string, unknown>>): Endpoint {
  return (request, url, response) => {
    if (url.pathname !== '/debug/vars') return false;
    if (!allowOnlyGet(request.method, response)) return true;
    const lines = Object.entries(read())
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
    reply(response, 200, `{\n${lines.join(',\n')}\n}\n`, {
      'Content-Type': 'application/json; charset=utf-8',
    });
    return true;
  };
}

/** Asks the endpoints in order; the first that answers is the last that is asked. */
function listener(endpoints: readonly Endpoint[], logger: Logger): RequestListener {
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = requestUrl(request);
    for (const endpoint of endpoints) {
      if (await endpoint(request, url, response)) return;
    }
    replyNotFound(response);
  };
  return (request, response) => {
    serve(request, response).catch((error: unknown) => {
      logger.error('failed to serve an HTTP request', { path: request.url, error });
      if (response.headersSent) response.destroy();
      else replyError(response, 500, 'Internal Server Error');
    });
  };
}

/** A target that is no path (`*`, or garbage) leads to no endpoint. */
function requestUrl(request: IncomingMessage): URL {
  const base = 'http://localhost';
  const target = request.url ?? '/';
  // A target of `//x` would be read as the host x.
  return URL.canParse(target, base) && !target.startsWith('//')
    ? new URL(target, base)
    : new URL('/unknown', base);
}
