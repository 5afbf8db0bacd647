import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Counter, Gauge } from '../../base/metrics.js';
import { reply } from './responses.js';

/** A scrape of the metrics. */
export interface MetricsSource {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface ScrapeMetrics {
  readonly inFlight: Gauge;
  /** Label: HTTP status. */
  readonly requests: { with(code: string): Counter };
}

const compress = promisify(gzip);

/** Serves `/metrics`, compressed for those who accept it. */
export async function serveMetrics(
  source: MetricsSource,
  metrics: ScrapeMetrics,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  metrics.inFlight.inc();
  try {
    const text = await source.text();
    const headers = { 'Content-Type': source.contentType };
    if (/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
      reply(response, 200, await compress(text), { ...headers, 'Content-Encoding': 'gzip' });
    } else {
      reply(response, 200, text, headers);
    }
    metrics.requests.with('200').inc();
  } catch (error) {
    metrics.requests.with('500').inc();
    throw error;
  } finally {
    metrics.inFlight.dec();
  }
}
