import { lookup, resolveSrv } from 'node:dns/promises';

/** One answer to a query for SRV records. */
export interface SrvRecord {
  /** The host, with or without the trailing dot. */
  readonly name: string;
  readonly port: number;
}

/** What the bootstrap of a member asks of the DNS. */
export interface HostResolver {
  /**
   * The address of a host; of several the first, IPv4 before IPv6.
   * @throws Error if it has none
   */
  address(host: string): Promise<string>;
  /** @throws Error if there are no such records */
  services(name: string): Promise<readonly SrvRecord[]>;
}

/** The resolver of the system. */
export const systemResolver: HostResolver = {
  async address(host) {
    const addresses = await lookup(host, { all: true });
    const chosen = addresses.find(({ family }) => family === 4) ?? addresses[0];
    if (chosen === undefined) throw new Error(`lookup ${host}: no such host`);
    return chosen.address;
  },
  services: (name) => resolveSrv(name),
};
