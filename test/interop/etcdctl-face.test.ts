import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import {
  describeTarget,
  ORACLE,
  type Outcome,
  type Program,
  runInvocation,
  type Target,
} from './face-runner.js';
import { INVOCATIONS, type Invocation } from './invocations.js';

/** What the oracle's outcome would be in the etcd we stand for. */
function expected(oracle: Outcome, { differs }: Invocation): Outcome {
  return {
    ...oracle,
    stdout: differs?.stdout?.(oracle.stdout, oracle.stderr) ?? oracle.stdout,
    stderr: differs?.stderr?.(oracle.stderr) ?? oracle.stderr,
  };
}

/** Our outcome with the same parts left out that the expectation leaves out. */
function comparable(ours: Outcome, wanted: Outcome, { differs }: Invocation): Outcome {
  const onlyFirstLine = differs?.stderr !== undefined && wanted.stderr.split('\n').length === 2;
  return {
    ...ours,
    stdout: differs?.stdout !== undefined && wanted.stdout === '' ? '' : ours.stdout,
    stderr: onlyFirstLine ? ours.stderr.slice(0, ours.stderr.indexOf('\n') + 1) : ours.stderr,
  };
}

describe.skipIf(!hasRealEtcd)('our etcdctl beside the real one', () => {
  let servers: RealEtcd[] = [];
  let targets: [Target, Target];
  let ours: Program;

  beforeAll(async () => {
    ours = { command: process.execPath, leading: [binaryPath('etcdctl')], environment: {} };
    // Two servers with one history, so that revisions agree.
    const [first, second] = await Promise.all([startRealEtcd(), startRealEtcd()]);
    servers = [first, second];
    targets = await Promise.all([describeTarget(first.endpoint), describeTarget(second.endpoint)]);
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  it.each(INVOCATIONS)('$name', async (invocation) => {
    const [oracle, actual] = await Promise.all([
      runInvocation(ORACLE, targets[0], invocation),
      runInvocation(ours, targets[1], invocation),
    ]);
    const wanted = expected(oracle, invocation);
    expect(comparable(actual, wanted, invocation)).toEqual(wanted);
  });

  it('has a name of its own for every invocation', () => {
    const names = INVOCATIONS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
