import { brokenLayer, errorOnce, groupHelp, rootHelp, usageMoved } from '../allowed-differences.js';
import { run } from '../invocation.js';
import { put } from '../steps.js';

const ONE = [put('k', 'v')];
const DEAD = ['--endpoints=127.0.0.1:1', '--dial-timeout=300ms', '--command-timeout=300ms'];

/** Global flags, environment, help, commands that are none (reference: cli 1, 2, 8.3). */
export const FRAME = [
  run([], { name: 'no command', program: [rootHelp] }),
  run('--help', { program: [rootHelp] }),
  run('help', { program: [rootHelp] }),
  run('lease', { program: [groupHelp] }),
  run('endpoint', { program: [groupHelp] }),
  run('lease bogus', { program: [groupHelp] }),
  run('alarm', { program: [groupHelp] }),
  run('bogus', { program: [errorOnce] }),
  run('gett', { program: [errorOnce] }),
  run('pu k v'),
  run('lea li'),
  run('end he -w json', { varies: ['durations'] }),
  run('version --bogus', { program: [usageMoved] }),
  run(['get', 'k', '--cert=']),
  run('get k --key='),
  run('get k --cacert='),
  run('get k --cert c.pem'),
  run('get k --cacert /nonexistent/ca.pem'),
  run('get k --cert /nonexistent/c.pem --key /nonexistent/k.pem'),
  run('get k --endpoints='),
  run('get k --endpoints=http://{endpoint}', { setup: ONE }),
  run('get k --endpoints={endpoint} --endpoints=127.0.0.1:1', { setup: ONE }),
  run('get k --endpoints=http://{endpoint}/some/path', { setup: ONE }),
  run(['get', 'k', ...DEAD], { name: 'get from nobody', program: [brokenLayer] }),
  run(['put', 'k', 'v', ...DEAD], { name: 'put to nobody', program: [brokenLayer] }),
  run('get k -w simple', { setup: ONE }),
  run('get k -wjson', { setup: ONE }),
  run('get k -w json -w simple', { setup: ONE }),
  run('-w json get k', { setup: ONE }),
  run('get k --write-out=JSON', { setup: ONE }),
  run(['get', 'k', '-w', ''], { setup: ONE }),
  run('get k --hex', {
    name: 'a flag and its variable',
    environment: { ETCDCTL_HEX: 'true' },
  }),
  run('get k', {
    name: 'a variable that does not parse',
    setup: ONE,
    environment: { ETCDCTL_HEX: 'maybe' },
  }),
  run('get k', {
    name: 'a variable that sets a flag',
    setup: ONE,
    environment: { ETCDCTL_WRITE_OUT: 'json' },
  }),
  run('get k', {
    name: 'a variable that is empty',
    setup: ONE,
    environment: { ETCDCTL_WRITE_OUT: '' },
  }),
  run('get k', {
    name: 'a variable that is unknown',
    setup: ONE,
    environment: { ETCDCTL_NONSENSE: '1' },
  }),
  run('get k', {
    name: 'a variable of a flag that the command has itself',
    setup: ONE,
    environment: { ETCDCTL_PREFIX: 'true' },
  }),
  run('get k', {
    name: 'endpoints of the environment that nobody serves',
    environment: { ETCDCTL_ENDPOINTS: '127.0.0.1:1', ETCDCTL_DIAL_TIMEOUT: '300ms' },
    program: [brokenLayer],
  }),
  run('endpoint health -w json', {
    name: 'an inherited variable',
    environment: { ETCDCTL_CLUSTER: 'true' },
    varies: ['durations'],
  }),
  run('get k --user root:pw', { setup: ONE }),
  run('get k --user root --password pw', { setup: ONE }),
  run('get k --password pw', { setup: ONE }),
  run('get k --user root:', { setup: ONE }),
  run('get k --keepalive-time=1s --keepalive-timeout=1s', { setup: ONE }),
  run('get k --insecure-transport=false --insecure-skip-tls-verify --endpoints=http://{endpoint}', {
    setup: ONE,
  }),
  run('get k --dial-timeout=abc', { program: [usageMoved] }),
];
