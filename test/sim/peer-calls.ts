import { etcdError } from '../../src/proto/errors.js';
import { MembershipAdmin } from '../../src/server/membership/membership-admin.js';
import type { PeerCalls } from '../../src/server/peer/peer-calls.js';
import type { SimulatedMember } from './member.js';
import type { SimulatedNetwork } from './network.js';
import type { SimulatedProcess } from './process.js';

/** Questions of one simulated member to another, over the simulated network. */
export class SimulatedPeerCalls implements PeerCalls {
  readonly #network: SimulatedNetwork;
  readonly #members: () => readonly SimulatedMember[];
  readonly #process: SimulatedProcess;

  constructor(
    network: SimulatedNetwork,
    members: () => readonly SimulatedMember[],
    process: SimulatedProcess,
  ) {
    this.#network = network;
    this.#members = members;
    this.#process = process;
  }

  members: PeerCalls['members'] = (urls, timeout) =>
    this.#ask(urls, timeout, async ({ cluster }) => ({
      clusterId: cluster.id,
      members: cluster.members(),
    }));

  version: PeerCalls['version'] = (urls, timeout) =>
    this.#ask(urls, timeout, async ({ cluster }) => ({
      server: '3.6.0',
      cluster: cluster.version ?? 'not_decided',
      storage: '3.6.0',
    }));

  downgradeEnabled: PeerCalls['downgradeEnabled'] = async () => false;

  hashKeyValues: PeerCalls['hashKeyValues'] = (urls, revision, timeout) =>
    this.#ask(urls, timeout, async ({ store }) => {
      const { hash, compactRevision } = await store.hashKeyValues(revision);
      return {
        revision: store.currentRevision,
        hash,
        compactRevision,
        hashRevision: revision || store.currentRevision,
      };
    });

  renewLease: PeerCalls['renewLease'] = (urls, id, timeout) =>
    this.#ask(urls, timeout, (local) => local.leases.renewHere(id, new AbortController().signal));

  leaseTimeToLive: PeerCalls['leaseTimeToLive'] = (urls, id, wantsKeys, timeout) =>
    this.#ask(urls, timeout, async (local) => {
      local.requireLocalLeader();
      const found = local.leases.timeToLiveHere(id, wantsKeys);
      if (found === undefined) throw etcdError('LeaseNotFound');
      return { id, ...found };
    });

  promote: PeerCalls['promote'] = (urls, id, authorization, timeout) =>
    this.#ask(urls, timeout, async (local) => {
      local.requireLocalLeader();
      const { signal } = new AbortController();
      return new MembershipAdmin({ member: local, isStrict: true }).promote(
        id,
        authorization,
        signal,
      );
    });

  async close(): Promise<void> {}

  /** Asks, and waits for the answer as long as the timeout says. */
  #ask<Answer>(
    urls: readonly string[],
    timeoutMillis: number,
    answer: (local: NonNullable<SimulatedMember['local']>) => Promise<Answer>,
  ): Promise<Answer> {
    const network = this.#network;
    const asker = this.#members().find(({ process }) => process === this.#process);
    const asked = this.#members().find(({ peerUrl }) => urls.includes(peerUrl));
    const { process, local } = { process: asked?.process, local: asked?.local };
    return new Promise((resolve, reject) => {
      this.#process.setTimer(timeoutMillis, () => reject(new Error('the peer does not answer')));
      if (process === undefined || local === undefined) {
        this.#process.setTimer(network.delay(), () => reject(new Error('connection refused')));
        return;
      }
      const here = asker?.local?.cluster.localMemberId ?? 0n;
      const there = local.cluster.localMemberId;
      if (network.isCut(here, there)) return;
      network.scheduler.schedule(network.delay(), process, () => {
        const settle = (finish: () => void): void => {
          if (!network.isCut(there, here)) this.#process.setTimer(network.delay(), finish);
        };
        answer(local).then(
          (result) => settle(() => resolve(result)),
          (error: unknown) => settle(() => reject(error)),
        );
      });
    });
  }
}
