import { lookup, reverse } from 'node:dns/promises';
import { quoteGo } from '../../base/go-format.js';
import type { CertificateCheck } from './client-checks.js';
import { isValidFor } from './client-checks.js';
import { addressErrorText, namesOf } from './go-tls-errors.js';

/** Where names are resolved. */
export interface Resolver {
  /** Names of an address; rejects or is empty if there are none. */
  readonly reverse: (address: string) => Promise<readonly string[]>;
  /** Addresses of a name. */
  readonly lookup: (name: string) => Promise<readonly string[]>;
}

export const systemResolver: Resolver = {
  reverse,
  lookup: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
};

/**
 * The certificate must be valid for the address that it comes from: by an address in it, or by a
 * name that resolves to or from it. One without alternative names may come from anywhere
 * (reference: server 6.1).
 */
export function addressCheck(resolver: Resolver): CertificateCheck {
  return async (leaf, address) => {
    const { dnsNames, ipAddresses } = namesOf(leaf);
    if (ipAddresses.length > 0) {
      if (isValidFor(leaf, address)) return;
      if (dnsNames.length === 0) throw new Error(addressErrorText(address, leaf));
    }
    if (dnsNames.length > 0 && !(await isNamed(address, dnsNames, resolver))) {
      const names = `[${dnsNames.map(quoteGo).join(' ')}]`;
      throw new Error(`tls: ${quoteGo(address)} does not match any of DNSNames ${names}`);
    }
  };
}

async function isNamed(
  address: string,
  dnsNames: readonly string[],
  resolver: Resolver,
): Promise<boolean> {
  const ofAddress = (await resolver.reverse(address).catch(() => [])).map((name) =>
    name.replace(/\.$/, ''),
  );
  for (const dnsName of dnsNames) {
    const suffix = dnsName.startsWith('*.') ? dnsName.slice(1) : undefined;
    if (
      ofAddress.some((name) => (suffix === undefined ? name === dnsName : name.endsWith(suffix)))
    ) {
      return true;
    }
  }
  for (const dnsName of dnsNames.filter((name) => !name.startsWith('*.'))) {
    if ((await resolver.lookup(dnsName).catch((): string[] => [])).includes(address)) return true;
  }
  return false;
}
