import { describeInvocations } from './compare.js';
import { CLUSTER, ENDPOINT } from './invocations/cluster.js';
import { FRAME } from './invocations/frame.js';

describeInvocations('cluster commands, global flags and help', [...ENDPOINT, ...CLUSTER, ...FRAME]);
