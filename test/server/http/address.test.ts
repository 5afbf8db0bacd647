import { describe, expect, it } from 'vitest';
import { joinHostPort, remoteAddressOf, splitHostPort } from '../../../src/server/http/address.js';

describe('splitHostPort', () => {
  it.each([
    ['127.0.0.1:2379', '127.0.0.1', '2379'],
    ['[::1]:2379', '::1', '2379'],
    ['[fe80::1%lo]:1', 'fe80::1%lo', '1'],
    [':2379', '', '2379'],
    ['host:', 'host', ''],
  ])('%s', (address, host, port) => {
    expect(splitHostPort(address)).toEqual({ host, port });
  });

  it.each([
    ['localhost', 'address localhost: missing port in address'],
    ['[::1]', 'address [::1]: missing port in address'],
    ['::1:80', 'address ::1:80: too many colons in address'],
    ['[::1:80', "address [::1:80: missing ']' in address"],
    ['[::1]x:80', 'address [::1]x:80: missing port in address'],
    ['a[b:80', "address a[b:80: unexpected '[' in address"],
    ['ab]:80', "address ab]:80: unexpected ']' in address"],
  ])('refuses %s', (address, message) => {
    expect(() => splitHostPort(address)).toThrow(new Error(message));
  });
});

describe('addresses as Go prints them', () => {
  it('puts IPv6 in brackets', () => {
    expect(joinHostPort('::1', 80)).toBe('[::1]:80');
    expect(joinHostPort('a', '80')).toBe('a:80');
  });

  it('shows mapped IPv4 plainly', () => {
    expect(remoteAddressOf({ remoteAddress: '::ffff:10.0.0.1', remotePort: 5 })).toBe('10.0.0.1:5');
    expect(remoteAddressOf({ remoteAddress: '::1', remotePort: 5 })).toBe('[::1]:5');
    expect(remoteAddressOf({})).toBe('@');
  });
});
