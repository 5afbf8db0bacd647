import { keysOnlyLease, usageMoved } from '../allowed-differences.js';
import { run } from '../invocation.js';
import { compact, del, grant, put, putLeased } from '../steps.js';

const LETTERS = [put('a', '3'), put('b', '1'), put('c', '2'), put('b', '11'), put('d', '0')];
const PREFIXED = [put('a1', 'x'), put('a2', '<&>'), put('b', 'z')];

/** `get` (reference: cli 4.2). */
export const GET = [
  run('get k', { name: 'get nothing' }),
  run('get k -w json', { name: 'get nothing as json' }),
  run('get k -w fields', { name: 'get nothing as fields' }),
  run('get'),
  run(['get', '']),
  run('get a', { setup: LETTERS }),
  run('get a b c', { setup: LETTERS }),
  run('get a c', { setup: LETTERS }),
  run('get c a', { setup: LETTERS }),
  run(['get', 'a', ''], { setup: LETTERS }),
  run('get a --prefix --hex', { setup: PREFIXED }),
  run('get a -w json --prefix', { setup: PREFIXED }),
  run('get a -w json --prefix --hex', { setup: PREFIXED }),
  run('get a -w fields --prefix', { setup: PREFIXED }),
  run('get a -w protobuf --prefix', { setup: PREFIXED }),
  run('get a -w table', { setup: PREFIXED }),
  run(['get', '', '--prefix'], { setup: PREFIXED }),
  run(['get', '', '--from-key', '--order=descend', '--sort-by=value', '--limit=2'], {
    setup: LETTERS,
  }),
  run('get b --from-key', { setup: LETTERS }),
  run('get b --from-key --limit 1 -w json', { setup: LETTERS }),
  ...['KEY', 'version', 'Create', 'MODIFY', 'VALUE'].flatMap((target) =>
    ['ASCEND', 'descend'].map((order) =>
      run(`get a --from-key --sort-by=${target} --order=${order} --limit=1`, { setup: LETTERS }),
    ),
  ),
  run('get a --from-key --sort-by=value', { setup: LETTERS }),
  run('get a --from-key --sort-by=modify --limit=2', { setup: LETTERS }),
  run('get a --from-key --order=DESCEND -w json', { setup: LETTERS }),
  run('get a c --keys-only', { setup: LETTERS }),
  run('get a c --keys-only -w json', { setup: LETTERS }),
  run('get k --keys-only -w json', {
    name: 'get --keys-only of a leased key',
    setup: [grant(), putLeased('k', 'v')],
    server: [keysOnlyLease],
  }),
  run('get k -w json', { name: 'get a leased key', setup: [grant(), putLeased('k', 'v')] }),
  run('get k -w fields', {
    name: 'get fields of a leased key',
    setup: [grant(), putLeased('k', 'v')],
  }),
  run('get a --print-value-only', { setup: LETTERS }),
  run('get a --print-value-only --hex', { setup: LETTERS }),
  run('get a --print-value-only -w json', { setup: LETTERS }),
  run('get a -w fields', { setup: [put('a', 'tab\there "quoted" \\ \u2603')] }),
  run('get b --rev={rev-1}', { setup: LETTERS }),
  run('get b --rev={rev-2} -w json', { setup: LETTERS }),
  run('get b --rev=-1', { setup: LETTERS }),
  run('get k --rev={rev}', { name: 'get a deleted key', setup: [put('k', 'v'), del('k')] }),
  run('get k --rev={rev-1}', {
    name: 'get a key before it was deleted',
    setup: [put('k', 'v'), del('k')],
  }),
  run('get b --rev={rev-1}', { name: 'get a compacted revision', setup: [...LETTERS, compact()] }),
  run('get b --rev={rev}', {
    name: 'get the revision of the compaction',
    setup: [...LETTERS, compact()],
  }),
  run('get k --rev 1000000'),
  run('get k --rev {rev+1}'),
  run('get a --consistency=s', { setup: LETTERS }),
  run('get a --consistency=l', { setup: LETTERS }),
  run('get k --consistency x'),
  run('get a --limit=0 --prefix', { setup: LETTERS }),
  run('get a --limit=-1 --from-key', { setup: LETTERS }),
  run(['get', '', '--from-key'], {
    name: 'get bytes',
    setup: [put(Buffer.from([1, 0xff]), Buffer.from([0x80, 0, 10])), put('\u{1f600}', '\u00e9')],
  }),
  run(['get', '', '--from-key', '--hex'], {
    name: 'get bytes as hex',
    setup: [put(Buffer.from([1, 0xff]), Buffer.from([0x80, 0, 10])), put('\u{1f600}', '\u00e9')],
  }),
  run(['get', '', '--from-key', '-w', 'fields'], {
    name: 'get bytes as fields',
    setup: [
      put(Buffer.from([1, 0xff]), Buffer.from([0x80, 0, 10])),
      put('\u{1f600}\u2028', '\u00e9'),
    ],
  }),
  run(['get', '\xff', '--prefix'], {
    name: 'get by a prefix that has no end',
    setup: [put('a', '1'), put(Buffer.from([0xff]), '2'), put(Buffer.from([0xff, 0xff]), '3')],
  }),
  run(['get', 'a\xff', '--prefix'], {
    name: 'get by a prefix of the highest byte',
    setup: [put(Buffer.from([0x61, 0xff]), '2'), put('b', '3')],
  }),
  run('get k --prefix --from-key'),
  run('get k l --prefix'),
  run('get k l --from-key'),
  run('get k --order up'),
  run('get k --sort-by age'),
  run('get k --rev x', { program: [usageMoved] }),
  run('get k --limit 99999999999999999999', { program: [usageMoved] }),
  run('get k --hex=maybe', { program: [usageMoved] }),
  run('get --hex false k', {
    name: 'get --hex false takes false as the key',
    setup: [put('false', 'v')],
  }),
  run('get k --command-timeout 5', { program: [usageMoved] }),
  run('get k --command-timeout 1x', { program: [usageMoved] }),
  run('get k --bogus', { program: [usageMoved] }),
  run('get k -xy', { program: [usageMoved] }),
  run('get k --rev', { program: [usageMoved] }),
  run('get k -w', { program: [usageMoved] }),
  run('get k --=x', { program: [usageMoved] }),
  run('get k ---', { program: [usageMoved] }),
];
