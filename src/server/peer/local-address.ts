import { BlockList, isIP } from 'node:net';
import type { Logger } from '../../base/logger.js';
import { type MemberUrl, splitHostPort } from '../http/address.js';

/** Addresses that say nothing about where a member is. */
const NOWHERE = new BlockList();
NOWHERE.addSubnet('127.0.0.0', 8);
NOWHERE.addAddress('::1', 'ipv6');
NOWHERE.addAddress('0.0.0.0');
NOWHERE.addAddress('::', 'ipv6');

/**
 * The address from which to connect to peers, with the feature SetMemberLocalAddr: the first that a
 * member advertises and that is no name, no loopback address and not all addresses.
 */
export function memberLocalAddress(
  advertised: readonly MemberUrl[],
  logger: Logger,
): string | undefined {
  for (const { scheme, host: hostPort } of advertised) {
    if (scheme.startsWith('unix')) continue;
    const { host } = splitHostPort(hostPort);
    const family = isIP(host);
    if (family === 0 || NOWHERE.check(host, family === 4 ? 'ipv4' : 'ipv6')) continue;
    logger.info('setting member local address', { LocalAddr: host });
    return host;
  }
  logger.warn('unable to set a member local address due to lack of suitable local addresses', {
    'advertise-peer-urls': advertised.map(({ text }) => text),
  });
  return undefined;
}
