import { describe, expect, it } from 'vitest';
import {
  clusterVersionRefusal,
  isDowngraded,
  nextClusterVersion,
  parseRelease,
} from '../../../src/server/membership/cluster-version.js';

describe('the next cluster version', () => {
  // Reference: semantics 13, N3.
  it.each([
    [undefined, ['3.6.1', '3.5.30'], '3.5.0'],
    [undefined, ['3.6.1', 'nonsense'], '3.0.0'],
    [undefined, ['3.6.1', undefined], '3.0.0'],
    [undefined, ['3.4.23'], '3.4.0'],
    ['3.6.0', ['3.5.1', '3.6.1'], undefined],
    ['3.5.0', ['3.6.0', '3.6.9'], '3.6.0'],
    ['3.5.0', ['3.6.0', undefined], undefined],
    ['3.0.0', ['3.4.23', '3.10.0'], '3.4.0'],
    ['3.7.0', ['3.7.1'], undefined],
    ['3.9.0', ['3.10.0', '3.11.2'], '3.10.0'],
    ['3.9.0', ['4.0.0', '3.10.0'], '3.10.0'],
    ['3.9.0', ['4.0.0'], undefined],
  ])('after %s with members of %j is %s', (current, members, next) => {
    expect(nextClusterVersion(current, members)).toBe(next);
  });

  it.each([
    // Reference: semantics 13, N3.
    ['3.6.0', ['3.6.1', '3.6.2'], '3.5.0', '3.5.0'],
    ['3.7.0', ['3.7.1', '3.7.1'], '3.6.0', '3.6.0'],
    ['3.6.0', ['3.7.1', '3.6.9'], '3.6.0', undefined],
    ['3.7.0', ['3.7.1', undefined], '3.6.0', undefined],
    [undefined, ['3.7.1'], '3.6.0', '3.7.0'],
  ])('after %s with members of %j on the way down to %s is %s', (current, members, to, next) => {
    expect(nextClusterVersion(current, members, to)).toBe(next);
  });

  it.each([
    ['3.5.0', ['3.6.1'], '3.4.0'],
    ['3.6.0', ['3.6.1'], '3.4.0'],
    ['3.6.0', ['3.6.1'], '3.7.0'],
    ['3.6.0', ['3.6.1'], 'nonsense'],
  ])('after %s with members of %j can not be %s', (current, members, to) => {
    expect(() => nextClusterVersion(current, members, to)).toThrow('invalid downgrade target');
  });

  it('ends a downgrade when all members are known to be of that release', () => {
    expect(isDowngraded(['3.6.1', '3.6.9'], '3.6.0')).toBe(true);
    expect(isDowngraded(['3.6.1', '3.7.1'], '3.6.0')).toBe(false);
    expect(isDowngraded(['3.6.1', undefined], '3.6.0')).toBe(false);
  });

  it('must not be above the own release', () => {
    expect(clusterVersionRefusal('3.8.0')).toContain(
      'invalid downgrade; server version is lower than determined cluster version',
    );
    expect(clusterVersionRefusal('3.7.0')).toBeUndefined();
    expect(clusterVersionRefusal(undefined)).toBeUndefined();
  });

  it('takes releases with a suffix, and nothing that is none', () => {
    expect(parseRelease('3.6.0-rc.1')).toEqual({ major: 3, minor: 6 });
    expect(parseRelease('3.6')).toBeUndefined();
    expect(parseRelease('not_decided')).toBeUndefined();
    expect(parseRelease(undefined)).toBeUndefined();
  });
});
