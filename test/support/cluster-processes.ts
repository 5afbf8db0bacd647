import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { Client } from '../../src/client/client.js';
import { ClusterMember, type MemberKind, QUESTION_MILLIS } from './cluster-member.js';
import { PeerNetwork } from './peer-network.js';
import { REAL_ENVIRONMENT, REAL_ETCDCTL } from './real-programs.js';
import { stablePort } from './stable-port.js';
import { GaveUp, until } from './until.js';

export { ClusterMember, type MemberKind } from './cluster-member.js';

export interface ClusterPlan {
  /** One letter a member: `o` is ours, `r` a real one. */
  readonly kinds: string;
  /** Flags of all members. */
  readonly flags?: readonly string[];
  /** Peers reach each other through proxies. */
  readonly hasNetwork?: boolean;
  /** Default: http. */
  readonly peerScheme?: 'http' | 'https';
  /** Further flags of one member. */
  readonly flagsOf?: (name: string) => readonly string[];
  /** Names of the members that come to serve at the start; default: all. */
  readonly serving?: readonly string[];
}

/** Election timeout of all members, ms. */
export const ELECTION_MILLIS = 600;
const TIMING = ['--heartbeat-interval=60', `--election-timeout=${ELECTION_MILLIS}`];

/** What a new member is told of its cluster. */
interface InitialState {
  readonly cluster: string;
  readonly state: 'new' | 'existing';
}

/** The members of one cluster, ours and real ones, as processes on loopback. */
export class ClusterProcesses {
  readonly members: ClusterMember[] = [];
  readonly network: PeerNetwork | undefined;
  readonly #directory: string;
  readonly #plan: ClusterPlan;
  readonly #clients: Client[] = [];

  private constructor(directory: string, plan: ClusterPlan) {
    this.#directory = directory;
    this.#plan = plan;
    this.network = plan.hasNetwork === true ? new PeerNetwork() : undefined;
  }

  /** Makes the members `m0`, `m1`, ... of a new cluster, and starts none of them. */
  static async plan(directory: string, plan: ClusterPlan): Promise<ClusterProcesses> {
    const cluster = new ClusterProcesses(directory, plan);
    for (const letter of plan.kinds) await cluster.prepare(letter === 'r' ? 'real' : 'ours');
    return cluster;
  }

  /** Starts all members of a new cluster and waits until all serve. */
  static async start(directory: string, plan: ClusterPlan): Promise<ClusterProcesses> {
    const cluster = await ClusterProcesses.plan(directory, plan);
    try {
      cluster.form();
      const { serving } = plan;
      const expected = cluster.members.filter(({ name }) => serving?.includes(name) ?? true);
      await Promise.all(expected.map((member) => member.untilServing()));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Starts the members as those of a new cluster. */
  form(): void {
    const initial: InitialState = { cluster: this.initialCluster, state: 'new' };
    for (const member of this.members) member.start(initialFlags(initial));
  }

  /** `name=url,...` of all members. */
  get initialCluster(): string {
    return this.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join();
  }

  get running(): readonly ClusterMember[] {
    return this.members.filter(({ isRunning }) => isRunning);
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** A client of these members, which is closed with the cluster. */
  client(members: readonly ClusterMember[] = this.members): Client {
    const client = new Client({ endpoints: members.map(({ endpoint }) => endpoint) });
    this.#clients.push(client);
    return client;
  }

  /** Makes a member that belongs to no cluster yet. */
  async prepare(kind: MemberKind, name = `m${this.members.length}`): Promise<ClusterMember> {
    const client = `http://127.0.0.1:${await stablePort()}`;
    const peerPort = await stablePort();
    const scheme = this.#plan.peerScheme ?? 'http';
    const listenPeer = `${scheme}://127.0.0.1:${peerPort}`;
    const peerUrl =
      this.network === undefined
        ? listenPeer
        : await this.network.open(name, peerPort, await stablePort());
    const dataDir = join(this.#directory, `${name}-${peerPort}`);
    const member = new ClusterMember(
      { name, kind, dataDir, endpoint: new URL(client).host, peerUrl },
      [
        `--name=${name}`,
        `--data-dir=${dataDir}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${listenPeer}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        ...TIMING,
        ...(this.#plan.flags ?? []),
        ...(this.#plan.flagsOf?.(name) ?? []),
      ],
    );
    this.members.push(member);
    return member;
  }

  /**
   * Adds a learner, starts it, and promotes it as soon as it has caught up.
   * @param client of members that are there already
   */
  async grow(client: Client, kind: MemberKind, name?: string): Promise<ClusterMember> {
    const before = this.initialCluster;
    const member = await this.prepare(kind, name);
    const bounds = () => ({ deadlineMillis: client.deadlineIn(QUESTION_MILLIS) });
    let id = 0n;
    await until(`${member.name} is added`, async () => {
      const { members } = await client.cluster.memberList(true, bounds());
      const known = members.find(({ peerURLs }) => peerURLs.includes(member.peerUrl));
      if (known === undefined) {
        const request = { peerURLs: [member.peerUrl], isLearner: true };
        await client.cluster.memberAdd(request, bounds());
        return false;
      }
      id = known.ID;
      return true;
    });
    const cluster = `${before},${member.name}=${member.peerUrl}`;
    member.start(initialFlags({ cluster, state: 'existing' }));
    await this.until(`${member.name} is promoted`, async () => {
      if (!member.isRunning) throw new GaveUp(`${member.name} ended with ${await member.exit}`);
      const { members } = await client.cluster.memberList(true, bounds());
      if (members.find(({ ID }) => ID === id)?.isLearner === false) return true;
      await client.cluster.memberPromote(id, bounds());
      return false;
    });
    await member.untilServing();
    return member;
  }

  /** Removes a member from the cluster and waits until its process, if it runs, has ended. */
  async shrink(client: Client, member: ClusterMember): Promise<void> {
    const bounds = () => ({ deadlineMillis: client.deadlineIn(QUESTION_MILLIS) });
    await until(`${member.name} is removed`, async () => {
      const { members } = await client.cluster.memberList(true, bounds());
      if (members.every(({ ID }) => ID !== member.id)) return true;
      await client.cluster.memberRemove(member.id, bounds());
      return false;
    });
    await until(`${member.name} has ended`, () => !member.isRunning);
    this.members.splice(this.members.indexOf(member), 1);
    await member.close();
  }

  /** The member that all of these follow; waits until they agree on one of them. */
  async leader(among: readonly ClusterMember[] = this.running): Promise<ClusterMember> {
    let leader: ClusterMember | undefined;
    await this.until('there is a leader', async () => {
      const states = await Promise.all(among.map((member) => member.status()));
      const named = new Set(states.map((status) => status.leader));
      leader = among.find(({ id }) => named.size === 1 && named.has(id));
      return leader !== undefined;
    });
    if (leader === undefined) throw new Error('there is no leader');
    return leader;
  }

  /** Waits until one of these members leads; the others need not know it yet. */
  async untilLed(among: readonly ClusterMember[], except: ClusterMember): Promise<ClusterMember> {
    let leader: ClusterMember | undefined;
    await this.until('there is a new leader', async () => {
      const asked = among.map(async (member) => ({ member, status: await member.status() }));
      const answers = await Promise.allSettled(asked);
      const leading = answers.find(
        (answer) =>
          answer.status === 'fulfilled' &&
          answer.value.member !== except &&
          answer.value.status.leader === answer.value.member.id,
      );
      if (leading?.status !== 'fulfilled') return false;
      leader = leading.value.member;
      return true;
    });
    if (leader === undefined) throw new Error('there is no leader');
    return leader;
  }

  /** Makes a member lead, through the one that does now. */
  async moveLeader(to: ClusterMember): Promise<void> {
    await this.until(`${to.name} leads`, async () => {
      const leader = await this.leader();
      if (leader === to) return true;
      const { client } = leader;
      await client.maintenance.moveLeader(to.id, {
        deadlineMillis: client.deadlineIn(QUESTION_MILLIS),
      });
      return false;
    });
  }

  /**
   * Waits until all that run have applied the same, and compares their hashes.
   * @returns the hash of all
   */
  async requireEqualHashes(): Promise<{ readonly revision: number; readonly hash: number }> {
    const members = this.running;
    let revision = 0;
    await this.until('all members hold the same', async () => {
      const states = await Promise.all(members.map((member) => member.status()));
      revision = states[0]?.header?.revision ?? 0;
      return states.every(
        ({ header, raftAppliedIndex }) =>
          header?.revision === revision && raftAppliedIndex === states[0]?.raftAppliedIndex,
      );
    });
    const hashes = await Promise.all(
      members.map(async ({ name, client }) => {
        const { hash, compactRevision } = await client.maintenance.hashKv(revision);
        return { name, hash, compactRevision };
      }),
    );
    const [first] = hashes;
    expect(hashes).toEqual(hashes.map(({ name }) => ({ ...first, name })));
    return { revision, hash: first?.hash ?? 0 };
  }

  /** Waits until a condition of the whole cluster holds. */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    await until(what, holds).catch((error: Error) => {
      const logs = this.members.map((member) => member.lastLines());
      throw new Error([error.message, ...logs].join('\n'));
    });
  }

  /** Runs the real etcdctl against all members. */
  async ctl(...argv: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      REAL_ETCDCTL,
      [`--endpoints=${this.endpoints.join()}`, ...argv],
      { env: REAL_ENVIRONMENT },
    );
    return stdout;
  }

  /** Ends everything. The directory is the caller's. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.members.map((member) => member.close()));
    await this.network?.close();
  }
}

export function initialFlags({ cluster, state }: InitialState): string[] {
  return [`--initial-cluster=${cluster}`, `--initial-cluster-state=${state}`];
}
