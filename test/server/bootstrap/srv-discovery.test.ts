import { Resolver } from 'node:dns/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import type { HostResolver } from '../../../src/server/bootstrap/host-resolver.js';
import { clusterFromDns } from '../../../src/server/bootstrap/srv-discovery.js';
import { type DnsRecord, type DnsServer, serveDns } from '../../support/dns-server.js';

let dns: DnsServer | undefined;
afterEach(async () => {
  await dns?.close();
  dns = undefined;
});

/** A resolver that asks a name server with these records. */
async function resolverFor(
  records: Readonly<Record<string, readonly DnsRecord[]>>,
): Promise<HostResolver> {
  dns = await serveDns(records);
  const resolver = new Resolver();
  resolver.setServers([dns.address]);
  return {
    address: async (host) => {
      if (/^[\d.]+$/.test(host)) return host;
      const [address] = await resolver.resolve4(host);
      if (address === undefined) throw new Error('no address');
      return address;
    },
    services: (name) => resolver.resolveSrv(name),
  };
}

async function discover(
  records: Readonly<Record<string, readonly DnsRecord[]>>,
  changed: { name?: string; advertised?: readonly string[]; serviceName?: string } = {},
): Promise<Record<string, readonly string[]>> {
  const { name = 'infra1', advertised = ['http://10.0.0.2:2380'], serviceName = '' } = changed;
  const found = await clusterFromDns(
    { name, advertisedPeerUrls: advertised },
    { kind: 'dns', domain: 'example.com', serviceName },
    { logger: silentLogger, resolver: await resolverFor(records) },
  );
  return Object.fromEntries(found);
}

const srv = (target: string, port = 2380): DnsRecord => ({ type: 'SRV', target, port });
const a = (address: string): readonly DnsRecord[] => [{ type: 'A', address }];
const hosts = {
  'infra0.example.com': a('10.0.0.1'),
  'infra1.example.com': a('10.0.0.2'),
  'infra2.example.com': a('10.0.0.3'),
};

describe('discovery by SRV records', () => {
  it('finds the members and itself among them', async () => {
    expect(
      await discover({
        ...hosts,
        '_etcd-server._tcp.example.com': [
          srv('infra0.example.com'),
          srv('infra1.example.com'),
          srv('infra2.example.com', 3380),
        ],
      }),
    ).toEqual({
      '0': ['http://infra0.example.com:2380'],
      infra1: ['http://infra1.example.com:2380'],
      '1': ['http://infra2.example.com:3380'],
    });
  });

  it('joins both services, each with names of its own count', async () => {
    expect(
      await discover({
        ...hosts,
        '_etcd-server-ssl._tcp.example.com': [srv('infra0.example.com')],
        '_etcd-server._tcp.example.com': [srv('infra1.example.com'), srv('infra2.example.com')],
      }),
    ).toEqual({
      // Trap of etcd: the counts begin anew, so two members share a name, and become one.
      '0': ['http://infra2.example.com:2380', 'https://infra0.example.com:2380'],
      infra1: ['http://infra1.example.com:2380'],
    });
  });

  it('takes the records of another service name', async () => {
    expect(
      await discover(
        { ...hosts, '_etcd-server-green._tcp.example.com': [srv('infra1.example.com')] },
        { serviceName: 'green' },
      ),
    ).toEqual({ infra1: ['http://infra1.example.com:2380'] });
  });

  it('leaves out what can not be resolved', async () => {
    expect(
      await discover({
        ...hosts,
        '_etcd-server._tcp.example.com': [srv('nobody.example.com'), srv('infra1.example.com')],
      }),
    ).toEqual({ infra1: ['http://infra1.example.com:2380'] });
  });

  it('fails where there are no records, or not its own', async () => {
    await expect(discover(hosts)).rejects.toThrow(
      /^error setting up initial cluster: error querying DNS SRV records for _etcd-server-ssl .*ENOTFOUND.*; error querying DNS SRV records for _etcd-server /,
    );
    await dns?.close();
    await expect(
      discover({ ...hosts, '_etcd-server._tcp.example.com': [srv('infra0.example.com')] }),
    ).rejects.toThrow(
      'error setting up initial cluster: cannot find local etcd member "infra1" in SRV records',
    );
  });

  it('fails where its own record is of another scheme', async () => {
    await expect(
      discover({ ...hosts, '_etcd-server-ssl._tcp.example.com': [srv('infra1.example.com')] }),
    ).rejects.toThrow(
      'bootstrap at https://infra1.example.com:2380 from DNS for etcd-server-ssl has scheme mismatch with expected peer http://10.0.0.2:2380',
    );
  });
});
