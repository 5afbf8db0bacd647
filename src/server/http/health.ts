import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../../base/logger.js';
import type { Counter, Gauge } from '../../base/metrics.js';
import { allowOnlyGet, reply, replyError, replyText } from './responses.js';

/** What the health endpoints ask a member. */
export interface HealthSource {
  /** Types of the active alarms, e.g. `NOSPACE`, `CORRUPT`; one entry an alarm. */
  activeAlarms(): readonly string[];
  hasLeader(): boolean;
  isLearner(): boolean;
  /** A read through the leader, within the request timeout. Rejects with an etcd error. */
  linearizableRead(): Promise<void>;
  /** A read of the local store. Rejects with an etcd error. */
  serializableRead(): Promise<void>;
}

export interface HealthMetrics {
  readonly successes: Counter;
  readonly failures: Counter;
  /** Labels: `livez` or `readyz`, check. */
  readonly check: { with(type: string, name: string): Gauge };
  /** Labels: `livez` or `readyz`, check, `success` or `error`. */
  readonly checks: { with(type: string, name: string, status: string): Counter };
}

export interface HealthOptions {
  readonly source: HealthSource;
  readonly metrics: HealthMetrics;
  readonly logger: Logger;
}

type Check = (source: HealthSource) => Promise<void> | void;

const dataCorruption: Check = (source) => {
  if (source.activeAlarms().includes('CORRUPT')) throw new Error('alarm activated: CORRUPT');
};

const nonLearner: Check = (source) => {
  if (source.isLearner()) throw new Error('not supported for learner');
};

const serializableRead: Check = (source) => source.serializableRead();
const linearizableRead: Check = (source) => source.linearizableRead();

/** The checks of `/livez` and `/readyz`, by name. Want of space fails neither. */
const PROBES: ReadonlyMap<string, ReadonlyMap<string, Check>> = new Map([
  ['livez', new Map([['serializable_read', serializableRead]])],
  [
    'readyz',
    new Map([
      ['data_corruption', dataCorruption],
      ['serializable_read', serializableRead],
      ['linearizable_read', linearizableRead],
      ['non_learner', nonLearner],
    ]),
  ],
]);

/** Serves `/health`, `/livez` and `/readyz` (reference: server 4.3). */
export class HealthEndpoints {
  readonly #options: HealthOptions;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** False: the path is none of these endpoints, and nothing has been answered. */
  async serve(request: IncomingMessage, url: URL, response: ServerResponse): Promise<boolean> {
    const [, root = '', check, ...more] = url.pathname.split('/');
    if (url.pathname === '/health') {
      await this.#serveHealth(request, url, response);
      return true;
    }
    const checks = PROBES.get(root);
    if (checks === undefined || more.length > 0) return false;
    if (check !== undefined && !checks.has(check)) return false;
    if (!allowOnlyGet(request.method, response)) return true;
    const names = check === undefined ? this.#withoutExcluded([...checks.keys()], url) : [check];
    await this.#serveProbe(root, names, url, response);
    return true;
  }

  async #serveHealth(request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
    if (!allowOnlyGet(request.method, response)) return;
    const { metrics, logger } = this.#options;
    const reason = await this.#unhealthyReason(
      new Set(url.searchParams.getAll('exclude')),
      url.searchParams.get('serializable') === 'true',
    );
    const output = JSON.stringify({ health: reason === '' ? 'true' : 'false', reason });
    if (reason === '') {
      metrics.successes.inc();
      reply(response, 200, output, { 'Content-Type': 'text/plain; charset=utf-8' });
      return;
    }
    metrics.failures.inc();
    logger.warn('/health error', { output, 'status-code': 503 });
    replyError(response, 503, output);
  }

  /** Empty if all is well. The first failure counts. */
  async #unhealthyReason(excluded: ReadonlySet<string>, serializable: boolean): Promise<string> {
    const { source, logger } = this.#options;
    const alarm = source.activeAlarms().find((type) => !excluded.has(type));
    if (alarm !== undefined) {
      logger.warn('serving /health false due to an alarm', { alarm });
      return ['NOSPACE', 'CORRUPT'].includes(alarm) ? `ALARM ${alarm}` : 'ALARM UNKNOWN';
    }
    if (!serializable && !source.hasLeader()) {
      logger.warn('serving /health false; no leader');
      return 'RAFT NO LEADER';
    }
    try {
      await (serializable ? source.serializableRead() : source.linearizableRead());
      return '';
    } catch (error) {
      logger.warn('serving /health false; Range fails', { error });
      return `RANGE ERROR:${textOf(error)}`;
    }
  }

  #withoutExcluded(names: readonly string[], url: URL): string[] {
    const excluded = new Set(url.searchParams.getAll('exclude'));
    const missing = [...excluded].filter((name) => !names.includes(name));
    if (missing.length > 0) {
      this.#options.logger.warn('some health checks cannot be excluded', {
        'missing-health-checks': missing.map((name) => `"${name}"`).join(', '),
      });
    }
    return names.filter((name) => !excluded.has(name));
  }

  async #serveProbe(
    probe: string,
    names: readonly string[],
    url: URL,
    response: ServerResponse,
  ): Promise<void> {
    const failures = await Promise.all(names.map((name) => this.#runCheck(probe, name)));
    const lines = names.map((name, index) => {
      const failure = failures[index];
      return failure === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`;
    });
    const details = lines.join('');
    if (failures.some((failure) => failure !== undefined)) {
      this.#options.logger.error('Health check error', {
        path: url.pathname,
        reason: details,
        'status-code': 503,
      });
      replyError(response, 503, details);
      return;
    }
    replyText(response, 200, `${url.searchParams.has('verbose') ? details : ''}ok\n`);
  }

  /** Why a check failed; undefined: it did not. */
  async #runCheck(probe: string, name: string): Promise<string | undefined> {
    const { source, metrics } = this.#options;
    let failure: string | undefined;
    try {
      await PROBES.get(probe)?.get(name)?.(source);
    } catch (error) {
      failure = textOf(error);
    }
    const ok = failure === undefined;
    metrics.check.with(probe, name).set(ok ? 1 : 0);
    metrics.checks.with(probe, name, ok ? 'success' : 'error').inc();
    return failure;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
