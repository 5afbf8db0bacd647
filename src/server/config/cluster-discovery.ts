import type { Settings } from './settings.js';

/** SRV records tell the members of the cluster. */
export interface DnsDiscovery {
  readonly kind: 'dns';
  readonly domain: string;
  /** Empty, or what tells the clusters of a domain apart. */
  readonly serviceName: string;
}

/** The members find each other by keys in another etcd. Empty texts stand for what was not given. */
export interface ServiceDiscovery {
  readonly kind: 'service';
  readonly token: string;
  readonly endpoints: readonly string[];
  readonly dialTimeoutMillis: number;
  readonly requestTimeoutMillis: number;
  readonly keepAliveMillis: number;
  readonly keepAliveTimeoutMillis: number;
  /** No TLS, unless something else says that there is. */
  readonly isInsecure: boolean;
  readonly skipsVerification: boolean;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly user: string;
  readonly password: string;
}

export type ClusterDiscovery = DnsDiscovery | ServiceDiscovery;

/** Undefined: the members are told by the initial cluster. */
export function discovery(settings: Settings): ClusterDiscovery | undefined {
  const domain = settings.text('discovery-srv');
  if (domain !== '') {
    return { kind: 'dns', domain, serviceName: settings.text('discovery-srv-name') };
  }
  const endpoints = settings.list('discovery-endpoints');
  if (endpoints.length === 0) return undefined;
  return {
    kind: 'service',
    token: settings.text('discovery-token'),
    endpoints,
    dialTimeoutMillis: settings.millis('discovery-dial-timeout'),
    requestTimeoutMillis: settings.millis('discovery-request-timeout'),
    keepAliveMillis: settings.millis('discovery-keepalive-time'),
    keepAliveTimeoutMillis: settings.millis('discovery-keepalive-timeout'),
    isInsecure: settings.on('discovery-insecure-transport'),
    skipsVerification: settings.on('discovery-insecure-skip-tls-verify'),
    certFile: settings.text('discovery-cert'),
    keyFile: settings.text('discovery-key'),
    caFile: settings.text('discovery-cacert'),
    user: settings.text('discovery-user'),
    password: settings.text('discovery-password'),
  };
}
