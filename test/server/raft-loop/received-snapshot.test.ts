import { afterEach, describe, expect, it } from 'vitest';
import { encodeConfChange } from '../../../src/raft/confchange/codec.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import type { Entry } from '../../../src/raft/types.js';
import { Follower, Gate, LEADER, LOCAL, put, turns, until } from './follower.js';

const GONE = 4n;
const EMPTY = Buffer.alloc(0);

/** Adds a member that the snapshot, which comes after, has lost again. */
function addition(index: number): Entry {
  const change = { id: 1n, type: ConfChangeType.AddNode, nodeId: GONE, context: EMPTY };
  return { ...encodeConfChange(change), term: 1, index };
}

let follower: Follower | undefined;

afterEach(async () => {
  await follower?.stop();
  follower = undefined;
});

describe('a snapshot from the leader', () => {
  it('waits for the changes of the configuration that are still being applied', async () => {
    const gate = new Gate();
    let isOpen = false;
    follower = await Follower.start({ backpressure: () => (isOpen ? undefined : gate.passed) });
    follower.append([put(2), addition(3), put(4)], 4);
    await until(() => follower?.node.raft.core.log.applying === 4);
    follower.receiveSnapshot();
    await turns(20);
    isOpen = true;
    gate.open();
    await until(() => follower?.loop.appliedIndex === 10);
    expect(follower.applied).toEqual(['entry 2', 'entry 3', 'entry 4', 'snapshot 10']);
    expect(follower.voters).toEqual([LOCAL, LEADER, 3n]);
    expect(follower.failures).toEqual([]);
  });

  it('keeps appends behind it from asking for another one', async () => {
    const gate = new Gate();
    let isOpen = false;
    follower = await Follower.start({ backpressure: () => (isOpen ? undefined : gate.passed) });
    follower.append([put(2)], 2);
    await until(() => follower?.node.raft.core.log.applying === 2);
    follower.receiveSnapshot();
    follower.append([put(11)], 11);
    await turns(20);
    expect(follower.sent.filter(({ reject }) => reject)).toEqual([]);
    isOpen = true;
    gate.open();
    await until(() => follower?.loop.appliedIndex === 10);
    follower.append([put(11)], 11);
    await until(() => follower?.loop.appliedIndex === 11);
  });

  it('gives no segment of the log away before the log says that it is committed', async () => {
    const events: string[] = [];
    follower = await Follower.start();
    const { wal } = follower;
    const { save } = wal;
    wal.save = async (state, entries) => {
      await save.call(wal, state, entries);
      if (state !== undefined && state.commit >= 10) events.push('committed');
    };
    const { releaseTo } = wal;
    wal.releaseTo = (index) => {
      events.push(`released ${index}`);
      releaseTo.call(wal, index);
    };
    follower.receiveSnapshot();
    await until(() => follower?.loop.appliedIndex === 10);
    expect(events).toEqual(['committed', 'released 10']);
  });

  it('is installed to its end before the loop has stopped', async () => {
    const gate = new Gate();
    const events: string[] = [];
    follower = await Follower.start({
      installSnapshot: async () => {
        events.push('begins');
        await gate.passed;
        events.push('ends');
      },
    });
    follower.receiveSnapshot();
    await until(() => events.length === 1);
    const stopped = follower.loop.stop(new Error('stopped')).then(() => events.push('stopped'));
    await turns(5);
    gate.open();
    await stopped;
    expect(events).toEqual(['begins', 'ends', 'stopped']);
  });
});
