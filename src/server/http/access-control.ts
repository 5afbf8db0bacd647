import type { IncomingMessage, ServerResponse } from 'node:http';
import { quoteGo } from '../../base/go-format.js';
import type { Logger } from '../../base/logger.js';
import { splitHostPort } from './address.js';
import { reply, replyError } from './responses.js';

export interface AccessOptions {
  /** Allowed origins of browsers; `*` among them allows all. */
  readonly cors: readonly string[];
  /** Allowed values of the Host header; empty or with `*`: all. */
  readonly hostWhitelist: readonly string[];
  readonly logger: Logger;
}

/**
 * What every HTTP request on a client listener passes first: the Host check, CORS headers, and
 * OPTIONS (reference: server 4.2).
 */
export class AccessControl {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #logger: Logger;

  constructor(options: AccessOptions) {
    this.#origins = new Set(options.cors.length === 0 ? ['*'] : options.cors);
    this.#hosts = new Set(options.hostWhitelist.length === 0 ? ['*'] : options.hostWhitelist);
    this.#logger = options.logger;
  }

  /** False: the request has been answered. */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    const host = hostName(request.headers.host ?? '');
    const isSecure = 'encrypted' in request.socket;
    if (!isSecure && !this.#hosts.has('*') && !this.#hosts.has(host)) {
      this.#logger.warn('rejecting HTTP request to prevent DNS rebinding attacks', { host });
      replyError(response, 421, unknownHostText(host));
      return false;
    }
    this.#addCorsHeaders(request.headers.origin, response);
    if (request.method !== 'OPTIONS') return true;
    reply(response, 200, '', {});
    return false;
  }

  /** An origin that is not allowed is served all the same: the browser withholds the answer. */
  #addCorsHeaders(origin: string | undefined, response: ServerResponse): void {
    let allowed = '*';
    if (!this.#origins.has('*')) {
      if (origin === undefined || !this.#origins.has(origin)) return;
      allowed = origin;
    }
    response.setHeader('Access-Control-Allow-Methods', 'POST, GET, OPTIONS, PUT, DELETE');
    response.setHeader('Access-Control-Allow-Origin', allowed);
    response.setHeader('Access-Control-Allow-Headers', 'accept, content-type, authorization');
  }
}

function hostName(header: string): string {
  try {
    return splitHostPort(header).host;
  } catch {
    // There is no port to take off.
    return header;
  }
}

function unknownHostText(host: string): string {
  return `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist ${quoteGo(host)}

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`;
}
