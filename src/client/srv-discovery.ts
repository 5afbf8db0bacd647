import { promises as dns } from 'node:dns';

/** One address a SRV record names. */
export interface SrvRecord {
  readonly name: string;
  readonly port: number;
}

/** Looks up SRV records; rejects with Node's DNS errors. */
export type SrvResolver = (name: string) => Promise<SrvRecord[]>;

/** No SRV record could be found. The text is etcd's. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
}

/**
 * The client endpoints that a domain's SRV records name, those for TLS first
 * (reference: cli 2.3).
 *
 * @param serviceSuffix appended to the service names with a dash, empty for none
 * @throws DiscoveryError if both lookups fail
 */
export async function discoverEndpoints(
  domain: string,
  serviceSuffix: string,
  resolve: SrvResolver = dns.resolveSrv,
): Promise<string[]> {
  const suffix = serviceSuffix === '' ? '' : `-${serviceSuffix}`;
  const lookUp = async (service: string, scheme: string) => {
    const name = `_${service}${suffix}._tcp.${domain}`;
    const records = await resolve(name);
    return records.map((record) => `${scheme}://${withoutDot(record.name)}:${record.port}`);
  };
  const outcomes = await Promise.allSettled([
    lookUp('etcd-client-ssl', 'https'),
    lookUp('etcd-client', 'http'),
  ]);
  const failures = outcomes.flatMap((outcome, at) =>
    outcome.status === 'rejected'
      ? [failureText(at === 0 ? 'etcd-client-ssl' : 'etcd-client', suffix, domain, outcome.reason)]
      : [],
  );
  if (failures.length === outcomes.length) {
    throw new DiscoveryError(`dns lookup errors: ${failures.join(' and ')}`);
  }
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

function failureText(service: string, suffix: string, domain: string, reason: unknown): string {
  const code = reason instanceof Error && 'code' in reason ? reason.code : undefined;
  const missing = code === 'ENOTFOUND' || code === 'ENODATA';
  const cause = missing ? 'no such host' : reason instanceof Error ? reason.message : reason;
  const name = `_${service}${suffix}`;
  return `error querying DNS SRV records for ${name} lookup ${name}._tcp.${domain}: ${cause}`;
}
