import type { CrashMode } from '../../src/platform/memory-fs.js';
import type { Random } from '../../src/platform/random.js';
import { type Message, MessageType } from '../../src/raft/types.js';
import { GOOD_DISK } from './disk.js';
import type { SimulatedMember } from './member.js';
import { GOOD_NETWORK, type SimulatedNetwork } from './network.js';
import type { Fault, Profile } from './profile.js';
import { type Scheduler, WORLD } from './scheduler.js';

/** Longest that a member stays down, ms. */
const DOWN_MILLIS = 2000;
/** Longest that it stays down if it is started again at once, ms. */
const RESTART_MILLIS = 30;
/** Longest that a fault lasts which ends by itself, ms. */
const LASTING_MILLIS = 2500;
const STALL_MILLIS = 1500;
/** What is left of a disk that is filling up, bytes. */
const FREE_BYTES = 20_000;

/** Messages at which a crash hurts most. */
const TRAPS = [
  MessageType.Vote,
  MessageType.VoteResp,
  MessageType.App,
  MessageType.AppResp,
  MessageType.Snap,
  MessageType.Snap,
  MessageType.TimeoutNow,
  MessageType.ReadIndexResp,
] as const;

/** Longest times between such a message and the crash, ms. */
const TRAP_MILLIS = [0, 20, 1000] as const;

/** The next member that sends such a message, or gets one, crashes. */
interface Trap {
  readonly type: MessageType;
  readonly side: 'sent' | 'arrived';
}

export interface FaultsOptions {
  readonly profile: Profile;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly network: SimulatedNetwork;
  readonly members: () => readonly SimulatedMember[];
  readonly changeMembers: () => void;
  readonly trace: (text: string) => void;
}

/** What goes wrong, one thing after another and some at the same time, and how it is put right. */
export class Faults {
  readonly #options: FaultsOptions;
  #isOver = false;
  #trap: Trap | undefined;

  constructor(options: FaultsOptions) {
    this.#options = options;
  }

  /** Makes trouble until that virtual time. */
  async work(until: number): Promise<void> {
    const { profile, random, scheduler } = this.#options;
    if (profile.faults.length === 0) return;
    while (scheduler.now < until) {
      await scheduler.sleep(random.float() * profile.faultMillis);
      if (scheduler.now >= until) return;
      this.#cause(this.#pick(profile.faults));
    }
  }

  /** Told of each message that leaves a member or reaches it. */
  noteMessage(side: Trap['side'], id: bigint, { type }: Message): void {
    const { scheduler, random, members } = this.#options;
    if (type !== this.#trap?.type || side !== this.#trap.side || this.#isOver) return;
    this.#trap = undefined;
    const member = members().find((other) => other.id === id);
    if (member === undefined) return;
    // What else it does in this turn it still does, and perhaps something of what follows.
    const delay = random.float() * this.#pick(TRAP_MILLIS);
    scheduler.schedule(delay, WORLD, () => this.#crash(member, this.#crashMode()));
  }

  /** Puts everything right, for good. */
  heal(): void {
    this.#isOver = true;
    const { network, members, trace } = this.#options;
    trace('everything is put right');
    network.mendAll();
    network.conditions = { ...GOOD_NETWORK };
    for (const member of members()) {
      member.process?.resume();
      member.disk.conditions = { ...GOOD_DISK };
      member.disk.fill(Number.POSITIVE_INFINITY);
      member.start();
    }
  }

  #cause(fault: Fault): void {
    const { random, scheduler, trace, changeMembers } = this.#options;
    const member = this.#pick(this.#options.members());
    trace(`fault: ${fault}`);
    switch (fault) {
      case 'crash':
        this.#crash(member, this.#crashMode());
        return;
      case 'crash-at-message':
        this.#trap = { type: this.#pick(TRAPS), side: this.#pick(['sent', 'arrived']) };
        return;
      case 'blackout': {
        const mode = this.#crashMode();
        for (const each of this.#options.members()) this.#crash(each, mode);
        return;
      }
      case 'isolate':
        this.#cut((from, to) => (from === member) !== (to === member));
        return;
      case 'one-way': {
        const other = this.#pick(this.#options.members());
        this.#cut((from, to) => from === member && to === other);
        return;
      }
      case 'split': {
        const side = new Set(this.#options.members().filter(() => random.integer(2) === 0));
        this.#cut((from, to) => side.has(from) !== side.has(to));
        return;
      }
      case 'pause':
        member.process?.pause(random.float() * LASTING_MILLIS);
        return;
      case 'slow-disk':
        this.#slowDisk(member);
        return;
      case 'broken-disk':
        member.breakDisk();
        return;
      case 'full-disk':
        member.fillDisk(random.integer(FREE_BYTES));
        return;
      case 'bad-network':
        this.#badNetwork();
        return;
      case 'stop':
        member.stop().catch((error: unknown) => scheduler.fail(error));
        return;
      case 'wall-clock':
        member.process?.setWall(random.integer(20_000) - 10_000);
        return;
      case 'transfer':
        this.#transfer();
        return;
      case 'member-change':
        changeMembers();
        return;
    }
  }

  #crash(member: SimulatedMember, mode: CrashMode): void {
    member.crash(this.#mayGarble(member, mode) ? mode : 'keep');
  }

  /** A member whose log is noise is lost, so that may only happen while most are well. */
  #mayGarble(member: SimulatedMember, mode: CrashMode): boolean {
    if (mode !== 'garble') return true;
    const all = this.#options.members();
    if (all.length < 3) return false;
    const lost = all.filter((other) => other === member || other.isSpoilt || other.isGarbled);
    return lost.length <= Math.floor((all.length - 1) / 2);
  }

  #crashMode(): CrashMode {
    return this.#pick(this.#options.profile.crashModes);
  }

  /** What its service manager does with a member that ended: starts it again after a while. */
  startAgain(member: SimulatedMember): void {
    const { random, scheduler } = this.#options;
    if (this.#isOver) scheduler.schedule(RESTART_MILLIS, WORLD, () => member.start());
    else {
      const isShort = random.integer(3) === 0;
      this.#later(isShort ? RESTART_MILLIS : DOWN_MILLIS, () => member.start());
    }
  }

  #cut(isCut: (from: SimulatedMember, to: SimulatedMember) => boolean): void {
    const { network, members, trace } = this.#options;
    const links: [bigint, bigint][] = [];
    for (const from of members()) {
      for (const to of members()) {
        if (from !== to && isCut(from, to)) links.push([from.id, to.id]);
      }
    }
    for (const [from, to] of links) network.cut(from, to);
    trace(`cut: ${links.map(([from, to]) => `${from.toString(16)}>${to.toString(16)}`).join(' ')}`);
    this.#later(LASTING_MILLIS, () => {
      for (const [from, to] of links) network.mend(from, to);
    });
  }

  #slowDisk(member: SimulatedMember): void {
    member.disk.conditions = { operationMillis: 20, stallRate: 0.2, stallMillis: STALL_MILLIS };
    this.#later(LASTING_MILLIS, () => {
      member.disk.conditions = { ...GOOD_DISK };
    });
  }

  #badNetwork(): void {
    const { network, random } = this.#options;
    network.conditions = {
      minDelayMillis: 0.2,
      maxDelayMillis: this.#pick([5, 50, 200]),
      lossRate: this.#pick([0, 0.02, 0.2]),
      duplicateRate: this.#pick([0, 0.1, 0.5]),
      stragglerRate: this.#pick([0, 0.1]),
      stragglerMillis: random.integer(2000),
    };
    this.#later(LASTING_MILLIS, () => {
      network.conditions = { ...GOOD_NETWORK };
    });
  }

  #transfer(): void {
    const { members } = this.#options;
    const leader = members().find(({ local }) => local?.isLeader === true)?.local;
    const to = this.#pick(members()).id;
    if (leader === undefined) return;
    // It may well come to nothing.
    leader.transferLeadership(to).catch(() => {});
  }

  #later(longestMillis: number, action: () => void): void {
    const { scheduler, random } = this.#options;
    scheduler.sleep(random.float() * longestMillis).then(
      () => {
        if (!this.#isOver) action();
      },
      (error: unknown) => scheduler.fail(error),
    );
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#options.random.integer(items.length)] as Item;
  }
}
