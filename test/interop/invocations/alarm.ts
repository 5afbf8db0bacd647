import { AlarmType } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import {
  alarmHeader,
  alarmsAreUnhealthy,
  alarmText,
  alarmTextInStatus,
  oneAlarmHeader,
} from '../allowed-differences.js';
import { run } from '../invocation.js';
import { clear, fillUp, grant, put, raise } from '../steps.js';

const FULL = [grant(), put('k', 'v'), raise(AlarmType.NOSPACE)];
const CORRUPT = [grant(), put('k', 'v'), raise(AlarmType.CORRUPT)];

/** What an active alarm allows (reference: cli 5.5, semantics 4). */
export const ALARM = [
  ...[
    'put k v',
    'get k',
    'del k',
    'compaction {rev}',
    'lease grant 60',
    'lease revoke 4d2',
    'lease keep-alive 4d2 --once',
    'member list',
  ].flatMap((line) => [
    run(line, { name: `${line} when space ran out`, setup: FULL, varies: ['lease-ids'] }),
    run(line, { name: `${line} when data is corrupt`, setup: CORRUPT, varies: ['lease-ids'] }),
  ]),
  ...[
    ['puts', 'put k v'],
    ['gets', 'get k'],
    ['deletes', 'del k'],
  ].flatMap(([verb, line]) => [
    run('txn', {
      name: `txn that ${verb} when space ran out`,
      setup: FULL,
      stdin: `\n${line}\n\n\n`,
    }),
    run('txn', {
      name: `txn that ${verb} when data is corrupt`,
      setup: CORRUPT,
      stdin: `\n${line}\n\n\n`,
    }),
  ]),
  run('alarm list', { name: 'alarm list of one', setup: FULL, program: [alarmText] }),
  run('alarm list', {
    name: 'alarm list of two',
    setup: [raise(AlarmType.NOSPACE), raise(AlarmType.CORRUPT, 1n)],
    program: [alarmText],
    varies: ['order'],
  }),
  run('alarm list -w json', {
    name: 'alarm list of one as json',
    setup: FULL,
    server: [alarmHeader],
  }),
  run('alarm list -w protobuf', {
    name: 'alarm list of one as protobuf',
    setup: FULL,
    server: [oneAlarmHeader],
  }),
  run('alarm disarm', { name: 'alarm disarm of one', setup: FULL, program: [alarmText] }),
  run('alarm disarm -w json', { name: 'alarm disarm of one as json', setup: FULL }),
  run('endpoint health', {
    name: 'endpoint health when space ran out',
    setup: FULL,
    varies: ['durations'],
    program: [alarmsAreUnhealthy],
  }),
  run('endpoint status -w json', {
    name: 'endpoint status when space ran out',
    setup: FULL,
    varies: ['raft-indexes', 'sizes', 'versions'],
    server: [alarmTextInStatus],
  }),
];

/** A server with a small quota, from the first put that it refuses to the next that it takes. */
export const QUOTA = [
  run('put k v', { name: 'put into a full store', setup: [fillUp] }),
  run('alarm list', { program: [alarmText] }),
  run('txn', { name: 'txn that puts into a full store', stdin: '\nput k v\n\n\n' }),
  run('txn', { name: 'txn that gets from a full store', stdin: '\nget k\n\n\n' }),
  run('lease grant 60', { name: 'lease grant in a full store' }),
  run('get fill0'),
  run(['del', 'fill0'], { name: 'del from a full store' }),
  run('put k v', { name: 'put after a del' }),
  run('alarm disarm', { program: [alarmText] }),
  run('alarm list', { name: 'alarm list after all' }),
  run('put k v', { name: 'put into a store that is still full, without an alarm' }),
  run('alarm list', { name: 'alarm list again', program: [alarmText] }),
  run('put k v', {
    name: 'put into a store that was cleared and defragmented',
    setup: [clear],
  }),
  run(`get k -w json`, { name: 'get what was put', varies: ['revisions'] }),
];
