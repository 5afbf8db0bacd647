import {
  badOperatorPanics,
  leasePanics,
  singleQuotes,
  txnFieldNames,
} from '../allowed-differences.js';
import { run } from '../invocation.js';
import { grant, put, putLeased } from '../steps.js';

const ONE = [put('k', 'v')];

/** Compares with nothing to do, by title. */
const COMPARES: readonly (readonly [title: string, lines: string])[] = [
  ['a value that is equal', 'value("k") = "v"'],
  ['a value that is not', 'val("k") != "v"'],
  ['a greater value', 'val("k") > "a"'],
  ['a lesser value', 'val("k") < "a"'],
  ['a value of no key', 'val("none") != "v"'],
  ['versions', 'ver("k") = "1"\nversion("k") > "0"\nver("none") = "0"'],
  ['the creation of no key', 'c("none") = "0"\ncreate("none") = "0"'],
  ['modifications', 'm("k") > "1"\nmod("k") < "1000000"'],
  ['two of which one fails', 'ver("k") = "1"\nver("k") = "2"'],
  ['with a back quote', 'val(`k`) = `v`'],
  ['with an escape', 'val("\\x6b") = "\\u0076"'],
  ['with more after it', 'val("k") = "v" and more'],
  ['of no operator', 'val("k")'],
  ['of no value', 'val("k") ='],
  ['of no quotes', 'val(k) = v'],
  ['of no bracket', 'nonsense'],
  ['of no space', 'val("k")="v"'],
  ['of a bad target', 'size("k") = "1"'],
  ['of a bad number', 'ver("k") = "x"'],
  ['of a large number', 'ver("k") = "99999999999999999999"'],
  ['of an empty key', 'val("") = "v"'],
];

/** Requests of a txn that has no compares, by title. */
const REQUESTS: readonly (readonly [title: string, lines: string])[] = [
  ['put, get and del', 'put k2 "a b" --prev-kv\nget k\ndel k\nget k'],
  ['get of a prefix', 'put k1 1\nput k2 2\nget k --prefix --order=DESCEND'],
  ['del of a prefix', 'del k --prefix --prev-kv'],
  ['put of no key', 'put "" v'],
  ['unknown request', 'watch k'],
  ['unknown flag', 'put k v --no-such-flag'],
  ['lonely word', 'put'],
  ['put of no value', 'put k'],
  ['duplicate key', 'put k 1\nput k 2'],
  ['put and del of a key', 'put k 1\ndel k'],
  ['missing lease', 'put k v --lease=1'],
  ['bad lease', 'put k v --lease=zz'],
  ['future revision', 'get k --rev=1000000'],
  ['bad order', 'get k --order=up'],
  ['undecodable quotes', 'put k "\\q"'],
  ['unicode', 'put k "\\u2603"\nget k'],
];

/** `txn` (reference: cli 4.4). */
export const TXN = [
  ...COMPARES.map(([title, lines]) =>
    run('txn', { name: `txn compare ${title}`, setup: ONE, stdin: `${lines}\n\n\n\n` }),
  ),
  ...REQUESTS.map(([title, lines]) =>
    run('txn', { name: `txn request: ${title}`, setup: ONE, stdin: `\n${lines}\n\n\n` }),
  ),
  run('txn', { name: 'txn that fails', stdin: 'create("k") != "0"\n\n\nput k created\n\n' }),
  run('txn -i', {
    name: 'txn -i that succeeds',
    setup: ONE,
    stdin: 'val("k") = "v"\nver("k") > "0"\n\nput k2 "a b" --prev-kv\nget k\ndel k\n\n\n',
  }),
  run('txn --interactive', {
    name: 'txn --interactive that fails',
    stdin: 'create("k") != "0"\n\n\nput k created\n\n',
  }),
  run('txn -w json', {
    setup: ONE,
    stdin: 'mod(`k`) < "1000000"\n\nput k "double quotes"\nget k\ndel k2\n\n\n',
    program: [txnFieldNames],
  }),
  run('txn -w json', {
    name: 'txn -w json that fails with nothing to do',
    stdin: 'ver("k") = "1"\n\n\n\n',
  }),
  run('txn', {
    name: 'txn with single quotes',
    stdin: "\nput k 'single quotes'\nget k\n\n\n",
    program: [singleQuotes],
  }),
  run('txn -w fields', { stdin: '\nput k v\nget k\ndel k2\n\n\n' }),
  run('txn -w protobuf', { stdin: '\nput k v\nget k\n\n\n' }),
  run('txn -w table', { stdin: '\nput k v\n\n\n' }),
  run('txn --hex', { stdin: '\nput k v\nget k\n\n\n' }),
  run('txn', {
    name: 'txn with a lease',
    setup: [grant(), putLeased('k', 'v')],
    stdin: '\nput k w --ignore-lease --prev-kv\nput l w --lease=4d2\n\n\n',
  }),
  run('txn', {
    name: 'txn that compares a lease',
    setup: [grant(), putLeased('k', 'v')],
    stdin: 'lease("k") = "1234"\n\n\n\n',
    varies: ['addresses'],
    program: [leasePanics],
  }),
  run('txn', {
    name: 'txn with an unknown operator',
    setup: ONE,
    stdin: 'ver("k") >= "1"\n\n\n\n',
    varies: ['addresses'],
    program: [badOperatorPanics],
  }),
  run('txn', { name: 'txn of spaces around lines', setup: ONE, stdin: '  \n  get k  \n\n\n' }),
  run('txn', { name: 'txn without its last blank line', stdin: '\nput k v\n\n' }),
  run('txn', { name: 'txn without a last newline', stdin: '\nput k v' }),
  run('txn', { name: 'txn of nothing' }),
  run('txn', {
    name: 'txn with as many operations as allowed',
    stdin: `\n${'get k\n'.repeat(128)}\n\n`,
  }),
  run('txn', { name: 'txn with too many operations', stdin: `\n${'get k\n'.repeat(129)}\n\n` }),
  run('txn x'),
];
