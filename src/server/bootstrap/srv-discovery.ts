import { quoteGo } from '../../base/go-format.js';
import type { Logger } from '../../base/logger.js';
import type { DnsDiscovery } from '../config/cluster-discovery.js';
import { parseInitialCluster, parseMemberUrl } from '../config/urls.js';
import { joinHostPort, splitHostPort } from '../http/address.js';
import { type HostResolver, systemResolver } from './host-resolver.js';

/** The member that looks for its cluster. */
export interface SearchingMember {
  readonly name: string;
  readonly advertisedPeerUrls: readonly string[];
}

/** Services of members, those with TLS in front. */
const SERVICES = [
  { base: 'etcd-server-ssl', scheme: 'https' },
  { base: 'etcd-server', scheme: 'http' },
] as const;

interface Service {
  readonly name: string;
  readonly scheme: 'http' | 'https';
}

/**
 * The peer URLs of the members by their names, from SRV records (reference: server 2.4). Names of
 * the others are made up: nobody but the member itself knows its own.
 * @throws Error with etcd's text if there are none, or this member is not among them
 */
export async function clusterFromDns(
  member: SearchingMember,
  discovery: DnsDiscovery,
  options: { readonly logger: Logger; readonly resolver?: HostResolver },
): Promise<Map<string, readonly string[]>> {
  const { logger, resolver = systemResolver } = options;
  const suffix = discovery.serviceName === '' ? '' : `-${discovery.serviceName}`;
  const parts: string[] = [];
  const failures: string[] = [];
  for (const { base, scheme } of SERVICES) {
    const service = { name: `${base}${suffix}`, scheme };
    let found: readonly string[] = [];
    let failure: string | undefined;
    try {
      found = await membersOf(service, member, discovery.domain, resolver);
    } catch (error) {
      failure = `error querying DNS SRV records for _${service.name} ${textOf(error)}`;
      failures.push(failure);
    }
    logger.info(`get cluster for ${base} SRV`, {
      'service-scheme': scheme,
      'service-name': service.name,
      'server-name': member.name,
      'discovery-srv': discovery.domain,
      'advertise-peer-urls': member.advertisedPeerUrls,
      'found-cluster': found,
      ...(failure === undefined ? {} : { error: failure }),
    });
    parts.push(...found);
  }
  if (failures.length > 0) {
    logger.warn('failed to resolve during SRV discovery', { error: failures.join('; ') });
  }
  if (parts.length === 0)
    throw new Error(`error setting up initial cluster: ${failures.join('; ')}`);
  for (const node of parts) logger.info('got bootstrap from DNS for etcd-server', { node });
  return namedCluster(parts, member.name);
}

function namedCluster(parts: readonly string[], name: string): Map<string, readonly string[]> {
  const cluster = parseInitialCluster(parts.join(','));
  if (!cluster.has(name)) {
    throw new Error(
      `error setting up initial cluster: cannot find local etcd member ${quoteGo(name)} in SRV records`,
    );
  }
  return new Map([...cluster].map(([member, urls]) => [member, urls.map(({ text }) => text)]));
}

/** `name=url` of each member; fails only if there is none at all. */
async function membersOf(
  { name, scheme }: Service,
  member: SearchingMember,
  domain: string,
  resolver: HostResolver,
): Promise<string[]> {
  const own = new Map<string, string>();
  for (const url of member.advertisedPeerUrls) {
    const { scheme: urlScheme, host: authority } = parseMemberUrl(url);
    if (urlScheme.startsWith('unix')) continue;
    const { host, port } = splitHostPort(authority);
    own.set(joinHostPort(await resolver.address(host), port), url);
  }
  const parts: string[] = [];
  let failure: unknown;
  let unnamed = 0;
  for (const { name: target, port } of await resolver.services(`_${name}._tcp.${domain}`)) {
    // Trap: records have a trailing dot, URLs must not.
    const host = target.replace(/\.$/, '');
    const url = `${scheme}://${joinHostPort(host, port)}`;
    try {
      const advertised = own.get(joinHostPort(await resolver.address(host), port));
      const memberName = advertised === undefined ? String(unnamed++) : member.name;
      if (advertised === undefined || advertised.startsWith(`${scheme}:`)) {
        parts.push(`${memberName}=${url}`);
      } else {
        failure = new Error(
          `bootstrap at ${url} from DNS for ${name} has scheme mismatch with expected peer ${advertised}`,
        );
      }
    } catch (error) {
      failure = error;
    }
  }
  if (parts.length === 0 && failure !== undefined) throw failure;
  return parts;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
