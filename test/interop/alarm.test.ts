import { afterAll, beforeAll, describe, it } from 'vitest';
import {
  compareInvocation,
  describeInvocations,
  isComparable,
  openWorlds,
  startServers,
} from './compare.js';
import { ALARM, QUOTA } from './invocations/alarm.js';

describeInvocations('under an alarm', ALARM);

describe.skipIf(!isComparable)('under a quota', () => {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let worlds: ReturnType<typeof openWorlds>;

  beforeAll(async () => {
    servers = await startServers(['--quota-backend-bytes=2000000']);
    worlds = openWorlds(servers);
  });

  afterAll(async () => {
    worlds?.close();
    await servers?.stop();
  });

  // One story: how much fits depends on the file format, so revisions are not brought to a level.
  it.each(QUOTA)('$name', async (invocation) => {
    await compareInvocation(worlds, invocation);
  });
});
