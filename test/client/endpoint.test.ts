import { describe, expect, it } from 'vitest';
import { parseEndpoints } from '../../src/client/endpoint.js';

describe('endpoints', () => {
  it.each([
    ['127.0.0.1:2379', { kind: 'tcp', host: '127.0.0.1', port: 2379 }, '127.0.0.1:2379'],
    [' http://h:1/path?q#f ', { kind: 'tcp', host: 'h', port: 1 }, 'h:1'],
    ['https://[::1]:2379', { kind: 'tcp', host: '::1', port: 2379 }, '[::1]:2379'],
    [':2379', { kind: 'tcp', host: 'localhost', port: 2379 }, ':2379'],
    ['unix:///run/etcd.sock', { kind: 'unix', path: '/run/etcd.sock' }, 'localhost'],
    ['unixs://relative:0', { kind: 'unix', path: 'relative:0' }, 'localhost'],
    ['unix:/abs', { kind: 'unix', path: '/abs' }, 'localhost'],
    ['host', { kind: 'invalid', reason: 'address host: missing port in address' }, 'host'],
    ['::1', { kind: 'invalid', reason: 'address ::1: too many colons in address' }, '::1'],
    ['h:70000', { kind: 'invalid', reason: 'address h:70000: invalid port' }, 'h:70000'],
    ['ftp://h:1', { kind: 'invalid', reason: 'unknown scheme "ftp"' }, 'ftp://h:1'],
  ])('parses %s', (text, target, authority) => {
    expect(parseEndpoints([text], false)[0]).toMatchObject({ target, authority });
  });

  it.each([
    [['http://a:1', 'https://b:1'], true, false],
    [['https://a:1', 'b:1'], false, true],
    [['unixs://a', 'b:1'], false, true],
    [['a:1', 'https://b:1'], false, false],
    [['a:1'], true, true],
    [['unix://a'], true, true],
  ])('lets the first of %j decide about TLS (configured: %s)', (texts, configured, secure) => {
    const parsed = parseEndpoints(texts, configured);
    expect(parsed.map((endpoint) => endpoint.secure)).toEqual(texts.map(() => secure));
  });
});
