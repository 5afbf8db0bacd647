import {
  alarmHeader,
  boxDrawing,
  brokenLayer,
  defragTook,
  disarmPanics,
  goodNewsOnStdout,
  hashRevision,
  hashRevisionColumn,
  hashRevisionField,
  memberHex,
  sixteenColumns,
  statusFields,
  zeroRevision,
} from '../allowed-differences.js';
import { run, type Variation } from '../invocation.js';
import { compact, del, put } from '../steps.js';

/** Nobody listens there. */
const DEAD = '127.0.0.1:1';
const ALL_DEAD = [`--endpoints=${DEAD}`, '--dial-timeout=300ms', '--command-timeout=300ms'];
// The one that lives must answer in time.
const ONE_DEAD = [`--endpoints={endpoint},${DEAD}`, '--dial-timeout=2s', '--command-timeout=2s'];

const SOME = [put('a', '1'), put('b', '2'), put('a', '3'), del('b')];
const STATUS: readonly Variation[] = ['raft-indexes', 'sizes', 'versions'];
const TIMED = { varies: ['durations'] } as const;

/** `endpoint` (reference: cli 5.2 to 5.4). */
export const ENDPOINT = [
  run('endpoint health', { ...TIMED, program: [goodNewsOnStdout] }),
  run('endpoint health extra', { ...TIMED, program: [goodNewsOnStdout] }),
  run('endpoint health --cluster', { ...TIMED, program: [goodNewsOnStdout] }),
  run('endpoint --cluster health -w json', TIMED),
  run('endpoint health -w fields', TIMED),
  run('endpoint health -w protobuf'),
  run(['endpoint', 'health', ...ONE_DEAD], {
    ...TIMED,
    program: [goodNewsOnStdout, brokenLayer],
  }),
  run(['endpoint', 'health', ...ALL_DEAD], { program: [brokenLayer] }),
  run(['endpoint', 'health', ...ONE_DEAD, '-w', 'json'], { ...TIMED, program: [brokenLayer] }),
  run('endpoint status', { varies: STATUS, program: [sixteenColumns] }),
  run('endpoint status -w json', { varies: STATUS }),
  run('endpoint status -w fields', { varies: STATUS, program: [statusFields] }),
  run('endpoint status -w protobuf'),
  run('endpoint status --cluster -w json', { varies: STATUS }),
  run(['endpoint', 'status', ...ONE_DEAD, '-w', 'json'], {
    varies: STATUS,
    program: [brokenLayer],
  }),
  run(['endpoint', 'status', ...ALL_DEAD], { program: [brokenLayer] }),
  run('endpoint status --endpoints={endpoint},{endpoint} -w json', { varies: STATUS }),
  run('endpoint hashkv --endpoints={endpoint},{endpoint} -w json', { setup: SOME }),
  run('endpoint hashkv', { setup: SOME, program: [hashRevision] }),
  run('endpoint hashkv -w json', { setup: SOME }),
  run('endpoint hashkv -w json', {
    name: 'endpoint hashkv after a compaction',
    setup: [...SOME, compact(1)],
  }),
  run('endpoint hashkv -w json --rev={rev-1}', { setup: SOME }),
  run('endpoint hashkv --rev=1000000', { setup: SOME }),
  run('endpoint hashkv --rev={rev-3}', { setup: [...SOME, compact()] }),
  run('endpoint hashkv -w fields', { setup: SOME, program: [hashRevisionField] }),
  run('endpoint hashkv -w table', { setup: SOME, program: [hashRevisionColumn] }),
  run(['endpoint', 'hashkv', ...ALL_DEAD], { program: [brokenLayer] }),
];

/** `member`, `alarm`, `defrag`, `move-leader` (reference: cli 5.1, 5.5, 5.6, 5.8). */
export const CLUSTER = [
  run('member list'),
  run('member list -w json'),
  run('member list -w json --hex', { program: [memberHex] }),
  run('member list -w fields', { program: [zeroRevision] }),
  run('member list -w table', { program: [boxDrawing] }),
  run('member list -w protobuf'),
  run('member list extra'),
  run(['member', 'list', ...ALL_DEAD], { program: [brokenLayer] }),
  run('member add'),
  run('member add a b'),
  run('member add a http://127.0.0.1:1 HTTPS://127.0.0.1:2'),
  run('member add a'),
  run('member add a --peer-urls='),
  run('member add a --peer-urls=x'),
  run('member add a --peer-urls=http://x/path'),
  run('member add a --peer-urls=http://x:1/path'),
  run('member add a --peer-urls=http://x:1,'),
  run(['member', 'add', 'a', '--peer-urls=http://x:1', ...ALL_DEAD], { program: [brokenLayer] }),
  run('member remove'),
  run('member remove 1 2'),
  run('member remove zz'),
  run('member remove 12345678901234567'),
  run('member remove 1'),
  run('member remove b71f75320dc06a6c'),
  run('member update'),
  run('member update 1'),
  run('member update zz --peer-urls=http://x:1'),
  run('member update 1 --peer-urls=x'),
  run('member update 1 --peer-urls=http://x:1'),
  run('member promote'),
  run('member promote 1 2'),
  run('member promote zz'),
  run('member promote 1'),
  run('member promote b71f75320dc06a6c'),
  run('member add a --peer-urls=http://127.0.0.1:2380'),
  run('member add a --learner --peer-urls=http://127.0.0.1:2380,http://x:1 -w json'),
  run('move-leader'),
  run('move-leader 1 2'),
  run('move-leader zz'),
  run('move-leader 1'),
  run('move-leader 1 -w json'),
  run('move-leader b71f75320dc06a6c'),
  run('move-leader b71f75320dc06a6c -w json'),
  run('move-leader b71f75320dc06a6c -w protobuf'),
  run('move-leader b71f75320dc06a6c -w fields'),
  run('move-leader b71f75320dc06a6c -w table'),
  run(['move-leader', '1', ...ALL_DEAD], { program: [brokenLayer] }),
  run('alarm list'),
  run('alarm list -w json', { server: [alarmHeader] }),
  run('alarm list x'),
  run('alarm disarm'),
  run('alarm disarm x'),
  run('alarm disarm -w json'),
  run('alarm disarm -w fields', { varies: ['addresses'], program: [disarmPanics] }),
  run('defrag', { ...TIMED, program: [defragTook] }),
  run('defrag --cluster', { ...TIMED, program: [defragTook] }),
  run(['defrag', ...ONE_DEAD], { ...TIMED, program: [defragTook, brokenLayer] }),
  run(['defrag', ...ALL_DEAD], { ...TIMED, program: [defragTook, brokenLayer] }),
];
