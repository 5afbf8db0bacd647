import type { FlagSet } from './flag-parser.js';
import { defaultFlagValue } from './flag-values.js';
import type { Settings } from './settings.js';

/**
 * Flags that this server knows but does not carry out yet. Any value other than the default is
 * refused, so that nobody believes in a protection or a feature that is not there. Whoever builds
 * one takes its flags off this list.
 */
export const UNSUPPORTED_FLAGS: readonly string[] = [
  // Bootstrap over a discovery service or DNS.
  'discovery-token',
  'discovery-endpoints',
  'discovery-srv',
  'discovery-srv-name',
  // Recovery from the loss of a quorum.
  'force-new-cluster',
  // TLS. (Its versions and cipher suites mean nothing without it and are accepted, as etcd does.)
  'cert-file',
  'key-file',
  'client-cert-file',
  'client-key-file',
  'trusted-ca-file',
  'client-cert-auth',
  'client-crl-file',
  'client-cert-allowed-hostname',
  'auto-tls',
  'peer-cert-file',
  'peer-key-file',
  'peer-client-cert-file',
  'peer-client-key-file',
  'peer-trusted-ca-file',
  'peer-client-cert-auth',
  'peer-crl-file',
  'peer-cert-allowed-cn',
  'peer-cert-allowed-hostname',
  'peer-auto-tls',
  'peer-skip-client-san-verification',
  // Operating system and diagnostics.
  'socket-reuse-port',
  'memory-mlock',
  'enable-pprof',
  'enable-distributed-tracing',
];

const LISTEN_FLAGS = [
  'listen-peer-urls',
  'listen-client-urls',
  'listen-client-http-urls',
  'listen-metrics-urls',
];

/** @throws Error `--X is not supported yet` for the first such flag that is in use */
export function refuseUnsupported(flags: FlagSet, settings: Settings): void {
  for (const name of UNSUPPORTED_FLAGS) {
    const spec = flags.specs.get(name);
    if (spec === undefined) throw new TypeError(`there is no flag --${name}`);
    const inUse = JSON.stringify(flags.values.get(name)) !== JSON.stringify(defaultFlagValue(spec));
    if (inUse) throw new Error(`--${name} is not supported yet`);
  }
  for (const name of LISTEN_FLAGS) {
    const secure = settings.urls(name).find(({ scheme }) => scheme.endsWith('s'));
    if (secure !== undefined) {
      throw new Error(`--${name} ${secure.text} is not supported yet: no TLS`);
    }
  }
  if (settings.list('log-outputs').includes('systemd/journal')) {
    throw new Error('--log-outputs systemd/journal is not supported yet');
  }
}
