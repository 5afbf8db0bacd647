import { describe, expect, it } from 'vitest';
import { isEtcdError } from '../../../src/proto/errors.js';
import { Cluster } from '../../../src/server/membership/cluster.js';
import {
  decodeDowngrade,
  encodeDowngrade,
  parseDowngradeTarget,
  refusalToDowngrade,
} from '../../../src/server/membership/downgrade.js';
import { clusterOf, member } from './support.js';

describe('a downgrade', () => {
  it('is kept as etcd keeps it', () => {
    expect(encodeDowngrade('3.6.0')).toBe('{"target-version":"3.6.0","enabled":true}');
    expect(encodeDowngrade(undefined)).toBe('{"target-version":"","enabled":false}');
    expect(decodeDowngrade(encodeDowngrade('3.6.0'))).toBe('3.6.0');
    expect(decodeDowngrade(encodeDowngrade(undefined))).toBeUndefined();
    expect(decodeDowngrade('null')).toBeUndefined();
  });

  it('outlives a restart', () => {
    const { cluster, backend } = clusterOf([member(1n)]);
    cluster.setDowngrade('3.6.0');
    const again = new Cluster(1000n, 1n, backend);
    again.restore();
    expect(again.downgradeTarget).toBe('3.6.0');
    again.setDowngrade(undefined);
    cluster.restore();
    expect(cluster.downgradeTarget).toBeUndefined();
  });

  it.each(['3.6', '3.6.0', '3.6.1', '3.6.2-rc.1'])('may be told to go to %s', (text) => {
    expect(parseDowngradeTarget(text)).toBe('3.6.0');
  });

  it.each(['', '3', 'v3.6', '3.6.', '3.6.x', '3.6-rc', '3.6.1.2'])(
    'knows that %j is no version',
    (text) => {
      try {
        parseDowngradeTarget(text);
        expect.unreachable();
      } catch (error) {
        expect(isEtcdError(error, 'WrongDowngradeVersionFormat')).toBe(true);
      }
    },
  );

  it.each([
    [undefined, undefined, '3.6.0', 'ClusterVersionUnavailable'],
    ['3.7.0', undefined, '3.6.0', undefined],
    ['3.7.0', undefined, '3.5.0', 'InvalidDowngradeTargetVersion'],
    ['3.7.0', undefined, '3.7.0', 'InvalidDowngradeTargetVersion'],
    ['3.7.0', '3.6.0', '3.5.0', 'InvalidDowngradeTargetVersion'],
    ['3.7.0', '3.6.0', '3.6.0', 'DowngradeInProcess'],
    ['3.5.0', undefined, '3.4.0', undefined],
    ['3.4.0', undefined, '3.3.0', 'NotCapable'],
  ] as const)(
    'at %s, on the way to %s, to %s is refused with %s',
    (version, under, to, refusal) => {
      const { cluster } = clusterOf([member(1n)]);
      if (version !== undefined) cluster.setVersion(version);
      cluster.setDowngrade(under);
      expect(refusalToDowngrade(cluster, to)).toBe(refusal);
    },
  );
});
