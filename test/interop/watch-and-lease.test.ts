import { describeInvocations } from './compare.js';
import { LEASES } from './invocations/lease.js';
import { WATCH } from './invocations/watch.js';

describeInvocations('watch and lease commands', [...WATCH, ...LEASES]);
