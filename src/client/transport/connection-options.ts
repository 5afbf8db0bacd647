import type { Clock } from '../../platform/clock.js';
import type { MessageLimits } from './http2-call.js';

/** What TLS is spoken with; texts or bytes are PEM. */
export interface ClientTlsOptions {
  /** Authorities that may have signed the server's certificate; default: the system's. */
  readonly ca?: string | Buffer;
  /** The client's certificate and key; both or none. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Accept any certificate. */
  readonly insecureSkipVerify?: boolean;
  /** Name to check the certificate against; default: the endpoint's host. */
  readonly serverName?: string;
}

/** How connections are made and watched. */
export interface ConnectionOptions extends MessageLimits {
  readonly clock: Clock;
  readonly tls: ClientTlsOptions;
  /** Interval of pings on a connection with open calls, in milliseconds; undefined: no pings. */
  readonly keepaliveMillis: number | undefined;
  /** How long a ping may go unanswered before the connection counts as broken. */
  readonly keepaliveTimeoutMillis: number;
}
