import { rangeWarning, usageMoved } from '../allowed-differences.js';
import { run } from '../invocation.js';
import { compact, grant, put, putLeased } from '../steps.js';

const SOME = [put('a1', 'x'), put('a2', 'y'), put('b', 'z')];

/** `del` (reference: cli 4.3). */
export const DEL = [
  run('del k', { name: 'del nothing' }),
  run('del a1', { setup: SOME }),
  run('del a --prefix', { setup: SOME }),
  run('del a --prefix --prev-kv', { setup: SOME }),
  run('del a --prefix --prev-kv --hex', { setup: SOME }),
  run('del a2 --from-key --prev-kv -w json', { setup: SOME }),
  run(['del', '', '--from-key'], { setup: SOME }),
  run(['del', '', '--prefix', '--prev-kv'], { setup: SOME }),
  run('del a1 -w json', { setup: SOME }),
  run('del a1 --prev-kv -w fields', { setup: SOME }),
  run('del a1 --prev-kv -w protobuf', { setup: SOME }),
  run('del k --prev-kv -w json', {
    name: 'del a leased key',
    setup: [grant(), putLeased('k', 'v')],
  }),
  run('del a1 -w table', { setup: SOME }),
  run('del a1 b', { setup: SOME, program: [rangeWarning] }),
  run(['del', '']),
  run('del'),
  run('del a b c'),
  run('del k --prefix --from-key'),
  run('del k l --prefix'),
  run('del k l --from-key'),
  run('del k --rev 1', { program: [usageMoved] }),
];

/** `compaction` (reference: cli 4.5). */
export const COMPACTION = [
  run('compact {rev}', { setup: SOME }),
  run('compaction {rev-1} --physical', { setup: SOME }),
  run('compaction {rev} -w json', { setup: SOME }),
  run('compaction {rev}', { name: 'compaction of what is compacted', setup: [...SOME, compact()] }),
  run('compaction {rev+1}'),
  run('compaction 0', { setup: [...SOME, compact()] }),
  run('compaction -- -5', { setup: [...SOME, compact()] }),
  run('compaction x'),
  run('compaction'),
  run('compaction 1 2'),
  run('compaction {rev} --physical=no', { program: [usageMoved] }),
];
