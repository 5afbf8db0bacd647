import { freePort } from './loopback.js';
import { type RealEtcd, type RealEtcdOptions, startRealEtcd } from './real-etcd.js';

/** Several members of one cluster on loopback. */
export interface RealCluster {
  readonly members: readonly RealEtcd[];
  /** All client endpoints, joined by commas. */
  readonly endpoints: string;
  stop(): Promise<void>;
}

/**
 * Starts a cluster of that many members and waits until all of them serve.
 * @param options default: of real ones
 */
export async function startRealCluster(
  size: number,
  options: Pick<RealEtcdOptions, 'program' | 'flags'> = { flags: ['--unsafe-no-fsync'] },
): Promise<RealCluster> {
  const ports: { readonly client: number; readonly peer: number }[] = [];
  while (ports.length < size) ports.push({ client: await freePort(), peer: await freePort() });
  const cluster = ports.map(({ peer }, at) => `m${at}=http://127.0.0.1:${peer}`).join();
  // Of a flag that is given twice the last one counts.
  const starts = ports.map((own, at) =>
    startRealEtcd({
      ...options,
      ports: own,
      flags: [`--name=m${at}`, `--initial-cluster=${cluster}`, ...(options.flags ?? [])],
    }),
  );
  const started = await Promise.allSettled(starts);
  const members = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()));
  };
  const failure = started.find((one) => one.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  return { members, endpoints: members.map(({ endpoint }) => endpoint).join(), stop };
}
