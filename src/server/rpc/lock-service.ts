import { SERVICES } from '../../proto/services.js';
import { LeaseLock } from '../../recipes/lock.js';
import type { LocalCalls } from './local-calls.js';
import { contendingLease, recipeMethod } from './recipe-method.js';
import type { RpcMethod } from './transport.js';

/** v3lockpb.Lock (reference: api 18). A call that is cancelled while it waits takes its key away. */
export function lockService(calls: LocalCalls): RpcMethod[] {
  const { lock: definitions } = SERVICES;
  return [
    recipeMethod(definitions.lock, async ({ name, lease }, context) => {
      const contender = await contendingLease(calls, lease, context);
      const lock = new LeaseLock(calls.recipeStore(context), contender, name);
      await lock.acquire({ signal: context.signal });
      return { header: lock.header, key: lock.key };
    }),
    recipeMethod(definitions.unlock, async ({ key }, context) => {
      const { header } = await calls.recipeStore(context).deleteRange({ key });
      return { header };
    }),
  ];
}
