import type { Random } from '../../src/platform/random.js';
import type { InitialCluster } from '../../src/server/bootstrap/new-member.js';
import type { LocalMember } from '../../src/server/local-member.js';
import { formatId } from '../../src/server/membership/member.js';
import { MembershipAdmin } from '../../src/server/membership/membership-admin.js';
import { type Life, peerUrlOf, SimulatedMember, type World } from './member.js';
import { WORLD } from './scheduler.js';

/** Voters that must be left, so that one that fails does no harm. */
const LEAST_VOTERS = 3;
const MOST_MEMBERS = 6;
/** How long an operator waits for a change, ms. */
const TIMEOUT_MILLIS = 4000;

export interface MembershipOptions {
  readonly world: World;
  readonly random: Random;
  /** All that ever were; new ones are added here. */
  readonly members: SimulatedMember[];
}

/** An operator who adds learners, promotes them and removes members, one change at a time. */
export class MembershipOperator {
  readonly #options: MembershipOptions;
  #isBusy = false;
  #count = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Those that the leader takes for members; without a leader, all that were not removed. */
  present(): SimulatedMember[] {
    const { members } = this.#options;
    const cluster = this.#leader()?.cluster;
    return members.filter(({ id, isRemoved }) =>
      cluster === undefined ? !isRemoved : cluster.member(id) !== undefined,
    );
  }

  /** Begins a change, unless one is under way. */
  change(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#changeOnce().then(
      () => {
        this.#isBusy = false;
      },
      (error: unknown) => this.#options.world.scheduler.fail(error),
    );
  }

  /** Starts those that became members although nobody was told. */
  adopt(): void {
    const { members } = this.#options;
    for (const { local } of [...members]) {
      for (const { id, peerUrls } of local?.cluster.members() ?? []) {
        if (members.some((member) => member.id === id)) continue;
        const name = nameOf(peerUrls);
        this.#begin(name, id);
      }
    }
  }

  async #changeOnce(): Promise<void> {
    const { random, members, world } = this.#options;
    const serving = members.filter(({ isServing }) => isServing);
    const life = serving[random.integer(serving.length)]?.life;
    if (life === undefined) return;
    const { cluster } = life.opened.member;
    const learner = cluster.members().find(({ isLearner }) => isLearner);
    const victim = this.#victim();
    const admin = new MembershipAdmin({ member: life.opened.member, isStrict: true });
    if (victim !== undefined && random.integer(2) === 0) {
      world.trace(`${life.process.name} removes ${victim.name}`);
      await this.#attempt(life, () => admin.remove(victim.id));
    } else if (learner !== undefined) {
      world.trace(`${life.process.name} promotes ${formatId(learner.id)}`);
      const { signal } = new AbortController();
      await this.#attempt(life, () => admin.promote(learner.id, undefined, signal));
    } else if (cluster.members().length < MOST_MEMBERS) {
      const name = `n${this.#count++}`;
      world.trace(`${life.process.name} adds ${name}`);
      await this.#attempt(life, () => admin.add([peerUrlOf(name)], true));
    }
    this.adopt();
  }

  /** What fails may have been done all the same, as for any operator. */
  #attempt(life: Life, change: () => Promise<unknown>): Promise<void> {
    const { scheduler, trace } = this.#options.world;
    return new Promise((resolve) => {
      scheduler.schedule(TIMEOUT_MILLIS, WORLD, resolve);
      life.process.onDeath(resolve);
      scheduler.schedule(0, life.process, () => {
        change().then(
          () => resolve(),
          (error: unknown) => {
            trace(`the change failed: ${String(error)}`);
            resolve();
          },
        );
      });
    });
  }

  /** Somebody without whom enough are left: first of all one whose disk is lost. */
  #victim(): SimulatedMember | undefined {
    const { random } = this.#options;
    const cluster = this.#leader()?.cluster;
    if (cluster === undefined) return undefined;
    const present = this.present();
    const voters = present.filter(({ id }) => cluster.member(id)?.isLearner === false);
    const lost = voters.filter(({ isSpoilt, isGarbled }) => isSpoilt || isGarbled);
    if (lost.length > 0) return voters.length >= LEAST_VOTERS ? lost[0] : undefined;
    if (voters.length <= LEAST_VOTERS) return undefined;
    return present[random.integer(present.length)];
  }

  #leader(): LocalMember | undefined {
    let leader: LocalMember | undefined;
    for (const { local } of this.#options.members) {
      if (local?.isLeader && local.term > (leader?.term ?? 0)) leader = local;
    }
    return leader;
  }

  #begin(name: string, id: bigint): void {
    const { world, members } = this.#options;
    const member = new SimulatedMember(world, name, () => this.#clusterFor(name), id);
    members.push(member);
    member.start();
  }

  /** What the operator tells a new member of its cluster: the members as they are now. */
  #clusterFor(name: string): InitialCluster {
    const cluster = this.#leader()?.cluster;
    const names = (cluster?.members() ?? []).map(({ peerUrls }) => nameOf(peerUrls));
    return {
      name,
      peerUrls: new Map([...names, name].map((each) => [each, [peerUrlOf(each)]])),
      advertisedPeerUrls: [peerUrlOf(name)],
      token: 'sim',
      state: 'existing',
    };
  }
}

function nameOf(peerUrls: readonly string[]): string {
  return new URL(peerUrls[0] ?? '').hostname;
}
