import { smallLetter, usageMoved, watchJson, zeroRevision } from '../allowed-differences.js';
import { run } from '../invocation.js';
import { compact, del, grant, put, putLeased, revoke } from '../steps.js';

const HISTORY = [put('w', '1'), put('w', '2'), put('x', '3'), del('w')];
/** The first revision of the history. */
const START = '{rev-3}';
const LIVE = [put('w', 'live'), put('z', 'unseen'), put('w', 'last')];

const COMPACTED = [put('w', '1'), put('w', '2'), compact()];

/** `watch` (reference: cli 4.6). */
export const WATCH = [
  run(`watch w --rev ${START}`, { setup: HISTORY, endWhen: /DELETE\nw\n\n/ }),
  run(`watch w --rev ${START} --prev-kv`, { setup: HISTORY, endWhen: /DELETE\nw\n2\nw\n\n/ }),
  run(`watch w --rev ${START} --prev-kv --hex`, {
    setup: HISTORY,
    endWhen: /DELETE\n.+\n.+\n.+\n\n/,
  }),
  run(`watch w --rev ${START} -w json`, {
    setup: HISTORY,
    endWhen: /"type":1/,
    program: [watchJson],
  }),
  run(`watch w --prev-kv --rev ${START} -w json`, {
    setup: HISTORY,
    endWhen: /"type":1/,
    program: [watchJson],
  }),
  run(`watch w --prev-kv --rev ${START} -w fields`, {
    setup: HISTORY,
    endWhen: /DELETE\n[\s\S]*"PrevLease" : 0\n[\s\S]*"Lease" : 0\n/,
  }),
  run(`watch w --rev ${START} -w protobuf`, { setup: HISTORY, endWhen: /w[\s\S]*w[\s\S]*w/ }),
  run(`watch w --rev ${START} -w table`, { setup: HISTORY }),
  run(['watch', '', '--prefix', `--rev=${START}`], { setup: HISTORY, endWhen: /DELETE\nw\n\n/ }),
  run(`watch w y --rev ${START}`, { setup: HISTORY, endWhen: /DELETE\nw\n\n/ }),
  run(`watch w y z --rev ${START}`, {
    name: 'watch with three keys',
    setup: HISTORY,
    endWhen: /DELETE\nw\n\n/,
  }),
  run('watch w --rev={rev+1}', {
    name: 'watch what is to come',
    meanwhile: { steps: LIVE },
    endWhen: /last\n/,
  }),
  run('watch w --rev={rev+1}', {
    name: 'watch ended by SIGTERM',
    meanwhile: { steps: LIVE },
    endWhen: /last\n/,
    endWith: 'SIGTERM',
  }),
  run('watch w --rev={rev+1}', {
    name: 'watch a lease take a key away',
    setup: [grant(), putLeased('w', '1')],
    meanwhile: { steps: [revoke()] },
    endWhen: /DELETE\nw\n\n/,
  }),
  run('watch w --rev 1', { name: 'watch of compacted history', setup: COMPACTED }),
  run('watch w --rev 1 -w json', {
    name: 'watch of compacted history as json',
    setup: COMPACTED,
    program: [watchJson],
  }),
  run('watch w --rev 1 -w fields', {
    name: 'watch of compacted history as fields',
    setup: COMPACTED,
    program: [zeroRevision],
  }),
  run('watch z a', { name: 'watch an empty range' }),
  run(`watch w --rev ${START} -- echo seen`, { setup: HISTORY, endWhen: /(seen[\s\S]*){3}\n/ }),
  run(['watch', 'w', `--rev=${START}`, '--', 'sh', '-c', 'env | grep ETCD_WATCH | sort'], {
    name: 'watch with a command that shows its variables',
    setup: [put('w', 'with "quotes"\n'), put('w', '2'), put('x', ''), del('w')],
    endWhen: /DELETE[\s\S]*ETCD_WATCH_VALUE/,
  }),
  run(`watch w --rev=${START} -- no-such-command-here`, { setup: HISTORY }),
  run(['watch', 'w', `--rev=${START}`, '--', 'sh', '-c', 'exit 3'], { setup: HISTORY }),
  run('watch'),
  run('watch k --'),
  run('watch -- echo'),
  run('watch k', {
    name: 'watch with a range end but no key in the environment',
    environment: { ETCDCTL_WATCH_RANGE_END: 'z' },
  }),
  run('watch k', { name: 'watch with two keys', environment: { ETCDCTL_WATCH_KEY: 'k' } }),
  run(`watch --rev=${START}`, {
    name: 'watch with a key of the environment',
    setup: HISTORY,
    environment: { ETCDCTL_WATCH_KEY: 'w' },
    endWhen: /DELETE\nw\n\n/,
  }),
  run(`watch --rev=${START}`, {
    name: 'watch with a range of the environment',
    setup: HISTORY,
    environment: { ETCDCTL_WATCH_KEY: 'w', ETCDCTL_WATCH_RANGE_END: 'y' },
    endWhen: /DELETE\nw\n\n/,
  }),
  run('watch k l --prefix'),
  run('watch k --rev=x', { program: [usageMoved] }),
  run('watch k --rev=-1', { name: 'watch from a negative revision' }),
  run('watch -i', {
    name: 'watch -i with bad lines',
    stdin: '\nget k\nwatch\nwatch a b --prefix\n',
    program: [smallLetter],
  }),
  run('watch -i', {
    name: 'watch -i from a revision',
    setup: HISTORY,
    stdin: `\nwatch --prev-kv w --rev=${START}\n`,
    endWhen: /DELETE\nw\n2\nw\n\n/,
  }),
  run('watch -i', {
    name: 'watch -i asks for progress',
    stdin: 'watch w\nprogress\n',
    endWhen: /progress notify: \d+\n/,
  }),
  run('watch -i', {
    name: 'watch -i with a bad separator',
    stdin: 'watch k --\n',
    endWhen: /never/,
  }),
  run('watch -i', {
    name: 'watch -i with an unknown flag',
    stdin: 'watch k --bogus\n',
    endWhen: /never/,
  }),
  run('watch -i', { name: 'watch -i with bad quotes', stdin: 'watch "\\q"\n', endWhen: /never/ }),
  run('watch -i', {
    name: 'watch -i with a key of the environment',
    setup: [compact(), put('w', '1')],
    stdin: 'watch --rev=9999\nwatch --rev=2 --prev-kv\n',
    environment: { ETCDCTL_WATCH_KEY: 'w' },
    endWhen: /compacted/,
  }),
];
