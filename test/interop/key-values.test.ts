import { describeInvocations } from './compare.js';
import { COMPACTION, DEL } from './invocations/del-and-compaction.js';
import { GET } from './invocations/get.js';
import { PUT } from './invocations/put.js';
import { TXN } from './invocations/txn.js';

describeInvocations('key-value commands', [...PUT, ...GET, ...DEL, ...COMPACTION, ...TXN]);
