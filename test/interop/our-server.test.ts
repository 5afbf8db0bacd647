import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { describeTarget, ORACLE, runInvocation, type Target } from './face-runner.js';
import { INVOCATIONS } from './invocations.js';

describe.skipIf(!hasRealEtcd)('the real etcdctl at our server', () => {
  let real: RealEtcd;
  let ours: TestEtcd;
  let targets: [Target, Target];

  beforeAll(async () => {
    [real, ours] = await Promise.all([
      startRealEtcd(),
      startEtcd({ storage: 'disk', flags: ['--name=real'] }),
    ]);
    targets = await Promise.all([describeTarget(real.endpoint), describeTarget(ours.endpoint)]);
  });

  afterAll(async () => {
    await Promise.all([real.stop(), ours.stop()]);
  });

  it.each(INVOCATIONS)('sees no difference: $name', async (invocation) => {
    const [expected, actual] = await Promise.all(
      targets.map((target) => runInvocation(ORACLE, target, invocation)),
    );
    expect(actual).toEqual(expected);
  });
});
