import { describe, expect, it } from 'vitest';
import {
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
  ])('after %s with members of %j is %s', (current, members, next) => {
    expect(nextClusterVersion(current, members)).toBe(next);
  });

  it('takes releases with a suffix, and nothing that is none', () => {
    expect(parseRelease('3.6.0-rc.1')).toEqual({ major: 3, minor: 6 });
    expect(parseRelease('3.6')).toBeUndefined();
    expect(parseRelease('not_decided')).toBeUndefined();
    expect(parseRelease(undefined)).toBeUndefined();
  });
});
