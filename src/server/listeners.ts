import type { Logger } from '../base/logger.js';
import type { ServerConfig } from './config/server-config.js';
import type { TlsConfig } from './config/tls-config.js';
import type { MemberUrl } from './http/address.js';
import type { PortMultiplexer } from './http/port-multiplexer.js';
import type { ServerPlatform } from './platform.js';
import type { WatchedFile } from './tls/expiry-watch.js';
import { prepareListenerTls, withAddressCheck } from './tls/listener-tls.js';
import type { ListenerTls } from './tls/tls-acceptor.js';

/** The TLS of a server's listeners; undefined where there is no certificate. */
export interface ServerTls {
  readonly peer: ListenerTls | undefined;
  readonly client: ListenerTls | undefined;
  readonly metrics: ListenerTls | undefined;
}

/** @throws Error with etcd's text for files, names or combinations that are wrong */
export async function prepareTls(
  config: ServerConfig,
  platform: ServerPlatform,
  logger: Logger,
): Promise<ServerTls> {
  const shared = {
    ...platform,
    readFile: platform.readConfigFile,
    dataDir: config.dataDir,
    logger,
  };
  const peer = await prepareListenerTls({
    ...shared,
    endpoint: 'peer',
    config: config.peerTls,
    urls: config.listenPeerUrls,
  });
  const client = await prepareListenerTls({
    ...shared,
    endpoint: 'client',
    config: config.clientTls,
    urls: [...config.listenClientUrls, ...config.listenClientHttpUrls],
  });
  return { peer, client, metrics: client === undefined ? undefined : withAddressCheck(client) };
}

/** The certificates that listeners depend on, each file once. */
export function watchedFiles({ peer, client }: ServerTls): WatchedFile[] {
  const all = [...(peer?.watched ?? []), ...(client?.watched ?? [])];
  return [...new Map(all.map((file) => [file.path, file])).values()];
}

/** One kind of listeners. */
export interface ListenerGroup {
  readonly kind: 'peer' | 'client' | 'metrics';
  readonly multiplexer: PortMultiplexer;
  readonly urls: readonly MemberUrl[];
  readonly tls: ListenerTls | undefined;
  readonly settings: TlsConfig;
  readonly logger: Logger;
}

/**
 * Binds listeners; URLs that share an address share a listener.
 * @returns for each URL the address that it is served on, with the real port
 * @throws ListenError, or Error with etcd's text for TLS without a certificate
 */
export async function bindListeners(group: ListenerGroup): Promise<string[]> {
  const { kind, multiplexer, urls, tls, logger } = group;
  for (const url of urls) checkSecurity(group, url);
  const bound = new Map<string, string>();
  const addresses: string[] = [];
  for (const url of urls) {
    const key = addressOf(url);
    let address = bound.get(key);
    if (address === undefined) {
      const same = urls.filter((other) => addressOf(other) === key);
      const isPlain = same.some((other) => !isSecure(other));
      const listener = await multiplexer.listen(
        url,
        same.some(isSecure) ? tls : undefined,
        isPlain,
      );
      ({ address } = listener);
      bound.set(key, address);
      logger.info(`listening for ${kind} traffic`, { address });
    }
    addresses.push(address);
  }
  return addresses;
}

/** True for a URL that speaks TLS. */
export function isSecure({ scheme }: MemberUrl): boolean {
  return scheme === 'https' || scheme === 'unixs';
}

function addressOf({ scheme, host, path }: MemberUrl): string {
  return scheme.startsWith('unix') ? `unix:${host}${path}` : host;
}

function checkSecurity({ kind, tls, settings, logger }: ListenerGroup, url: MemberUrl): void {
  if (isSecure(url)) {
    if (tls === undefined) throw new Error(missingCertificate(kind, url));
    return;
  }
  if (kind === 'metrics') return;
  const [scheme, field, flag] =
    kind === 'peer'
      ? (['HTTP', 'peer-url', '--peer-client-cert-auth'] as const)
      : (['http or unix', 'client-url', '--client-cert-auth'] as const);
  if (tls !== undefined) {
    logger.warn(
      `scheme is ${scheme} while key and cert files are present; ignoring key and cert files`,
      { [field]: url.text },
    );
  }
  if (settings.clientCertAuth) {
    logger.warn(
      `scheme is ${scheme} while ${flag} is enabled; ignoring client cert auth for this URL`,
      { [field]: url.text },
    );
  }
}

/** Etcd's texts (reference: server 1.4). */
function missingCertificate(kind: ListenerGroup['kind'], url: MemberUrl): string {
  switch (kind) {
    case 'peer':
      return `cannot listen on TLS for ${url.host}: KeyFile and CertFile are not presented`;
    case 'metrics':
      return 'client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url';
    default:
      return `TLS key/cert (--cert-file, --key-file) must be provided for client url ${url.text} with HTTPS scheme`;
  }
}
