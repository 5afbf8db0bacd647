import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { parseMemberUrl } from '../../../src/server/config/urls.js';
import { memberLocalAddress } from '../../../src/server/peer/local-address.js';

describe('the address to connect from', () => {
  it.each([
    [['http://10.0.0.7:2380'], '10.0.0.7'],
    [['http://localhost:2380', 'https://[2001:db8::7]:2380'], '2001:db8::7'],
    [['http://127.0.0.3:2380', 'http://[::1]:2380', 'http://0.0.0.0:2380'], undefined],
    [['unix://a:1', 'http://192.168.1.4:2380', 'http://10.0.0.7:2380'], '192.168.1.4'],
    [['http://etcd.example:2380'], undefined],
  ])('of a member that advertises %j is %s', (urls, address) => {
    expect(memberLocalAddress(urls.map(parseMemberUrl), silentLogger)).toBe(address);
  });
});
