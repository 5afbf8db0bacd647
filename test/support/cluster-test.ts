import { onTestFinished } from 'vitest';
import { AcknowledgedLoad, clientWriter } from './acknowledged-load.js';
import { type ClusterPlan, ClusterProcesses } from './cluster-processes.js';
import { tempDir } from './temp-dir.js';

/** Starts a cluster that is stopped, and its data removed, when the running test ends. */
export async function testCluster(plan: ClusterPlan): Promise<ClusterProcesses> {
  const directory = await tempDir();
  const cluster = await ClusterProcesses.start(directory, plan);
  onTestFinished(() => cluster.stop());
  return cluster;
}

/** Lets our client write through each member, until the running test ends at the latest. */
export function testLoad(cluster: ClusterProcesses, writersPerMember = 2): AcknowledgedLoad {
  const load = new AcknowledgedLoad('load/');
  onTestFinished(() => load.stop());
  for (const { client } of cluster.members) load.add(clientWriter(client), writersPerMember);
  return load;
}

/** Ends the load; all members must hold what was acknowledged, and the same. */
export async function finishLoad(
  cluster: ClusterProcesses,
  load: AcknowledgedLoad,
): Promise<string> {
  await load.stop();
  const { revision, hash } = await cluster.requireEqualHashes();
  for (const { client } of cluster.running) await load.verify(client);
  const { acknowledgedCount, unansweredCount } = load;
  return `${acknowledgedCount} writes acknowledged, ${unansweredCount} not; revision ${revision}, hash ${hash} on ${cluster.running.length} members`;
}

/** Waits until so many more writes were acknowledged. */
export async function untilWritten(
  cluster: ClusterProcesses,
  load: AcknowledgedLoad,
  count: number,
): Promise<void> {
  const goal = load.acknowledgedCount + count;
  await cluster.until('writes go on', async () => load.acknowledgedCount >= goal);
}
