import { afterEach, describe, expect, it } from 'vitest';
import { MessageType } from '../../../src/raft/types.js';
import { MAX_RECEIVED_MESSAGES } from '../../../src/server/raft-loop/raft-loop.js';
import { MAX_WAITING_READS } from '../../../src/server/raft-loop/read-rounds.js';
import { Follower, fromLeader, Gate, put, until } from './follower.js';

let follower: Follower | undefined;

afterEach(async () => {
  await follower?.stop();
  follower = undefined;
});

describe('the loop', () => {
  it('takes a bounded number of messages in a turn, and more in the next', async () => {
    follower = await Follower.start();
    const message = fromLeader(MessageType.Heartbeat);
    const receive = (): boolean => follower?.loop.receive(message) === true;
    for (let taken = 0; taken < MAX_RECEIVED_MESSAGES; taken++) expect(receive()).toBe(true);
    expect(receive()).toBe(false);
    await until(receive);
  });

  it('lets a bounded number of reads wait for what is applied late', async () => {
    const gate = new Gate();
    let isOpen = false;
    follower = await Follower.start({ backpressure: () => (isOpen ? undefined : gate.passed) });
    const { loop } = follower;
    follower.append([put(2)], 2);
    await until(() => follower?.node.raft.core.log.applying === 2);
    const waits: Promise<void>[] = [];
    for (let wait = 0; wait < MAX_WAITING_READS; wait++) waits.push(loop.whenApplied(2));
    await expect(loop.linearizableRead()).rejects.toThrow('etcdserver: too many requests');
    isOpen = true;
    gate.open();
    await Promise.all(waits);
  });
});
