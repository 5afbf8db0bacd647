import type { Logger } from '../base/logger.js';
import { ETCD_VERSION } from '../base/version.js';
import type { Timer } from '../platform/clock.js';
import { isEtcdError } from '../proto/errors.js';
import { DowngradeInfoSetRequest } from '../proto/gen/membershippb/membership.js';
import type { BackgroundJob } from './background-jobs.js';
import type { LocalMember } from './local-member.js';
import {
  DowngradeTargetError,
  isDowngraded,
  LOWEST_CLUSTER_VERSION,
  nextClusterVersion,
} from './membership/cluster-version.js';
import { type EntryForm, entryForm, versionEntry } from './membership/entry-form.js';

/** Gap between two rounds of the leader, ms (reference: raft-and-peers B7). */
const ROUND_MILLIS = 4000;
/** How long a peer may take to tell its version, ms. */
const VERSION_TIMEOUT_MILLIS = 1000;
/**
 * How long a member waits for others to tell what they are, ms, as long as the cluster has not
 * decided on a version. What is written meanwhile might be nothing that they can read.
 */
export const UNKNOWN_MEMBERS_MILLIS = 5000;
/** Time until those that did not answer are asked again, ms. */
const UNKNOWN_RETRY_MILLIS = 100;

type MonitoredMember = Pick<
  LocalMember,
  'clock' | 'cluster' | 'calls' | 'isLeader' | 'proposeEntry' | 'propose' | 'onFirstCommit'
>;

export interface VersionMonitorOptions {
  readonly member: MonitoredMember;
  readonly logger: Logger;
  /** Gap between two looks whether a downgrade is over, ms; 0: never. */
  readonly downgradeCheckMillis: number;
}

/** Keeps the version of the cluster that of its oldest member, and ends a downgrade that is done. */
export class VersionMonitor implements BackgroundJob {
  readonly #options: VersionMonitorOptions;
  #timers: Timer[] = [];
  #forget: () => void = () => {};
  #round: Promise<void> | undefined;
  /** Until when others may stay unknown, monotonic ms. */
  #patienceEnds: number | undefined;
  #isStopped = false;

  constructor(options: VersionMonitorOptions) {
    this.#options = options;
  }

  start(): void {
    const { member, logger, downgradeCheckMillis } = this.#options;
    const { clock } = member;
    const observed = (message: string, work: () => Promise<void>) => (): void => {
      work().catch((error: unknown) => {
        if (!this.#isStopped) logger.error(message, { error: String(error) });
      });
    };
    const update = observed('Failed to monitor cluster version', () => this.update());
    this.#forget = member.onFirstCommit(update);
    this.#timers.push(clock.setPeriodic(ROUND_MILLIS, update));
    if (downgradeCheckMillis > 0) {
      const check = observed('failed to cancel downgrade', () => this.endDowngrade());
      this.#timers.push(clock.setPeriodic(downgradeCheckMillis, check));
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#forget();
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  /**
   * Gives the cluster the version of its oldest member, if this member leads and that is another
   * than the cluster runs. There is one such round at a time.
   * @throws EtcdError of a proposal
   */
  update(): Promise<void> {
    this.#round ??= this.#update().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /** Ends the downgrade once all members are of the release that it leads to, if this one leads. */
  async endDowngrade(): Promise<void> {
    const { member, logger } = this.#options;
    const target = member.cluster.downgradeTarget;
    if (!member.isLeader || target === undefined) return;
    if (!isDowngraded([ETCD_VERSION, ...(await this.#askAll())], target)) return;
    logger.info('the cluster has been downgraded', { 'cluster-version': target });
    const request = { enabled: false, ver: '' };
    const payload = DowngradeInfoSetRequest.encode(request).finish();
    await member.propose('downgradeInfoSet', request, payload);
  }

  /** The form of entries that all members understand. */
  async entryForm(): Promise<EntryForm> {
    const { cluster } = this.#options.member;
    // Asks the others only where the version of the cluster leaves a choice.
    if (cluster.isAtLeast(3, 5)) return 'v3';
    const releases = await this.#releases();
    return entryForm(cluster.version, releases);
  }

  async #update(): Promise<void> {
    const { member, logger } = this.#options;
    if (!member.isLeader) return;
    const releases = await this.#releases();
    const { version, downgradeTarget } = member.cluster;
    if (!member.isLeader) return;
    let next: string | undefined;
    try {
      next = nextClusterVersion(version, [ETCD_VERSION, ...releases], downgradeTarget);
    } catch (error) {
      if (!(error instanceof DowngradeTargetError)) throw error;
      logger.error('Failed to monitor cluster version', { error: error.message });
    }
    if (next === undefined) return;
    await this.#propose(version, next, entryForm(version, releases));
  }

  async #propose(version: string | undefined, next: string, form: EntryForm): Promise<void> {
    const { member, logger } = this.#options;
    const field = { 'cluster-version': next.replace(/\.0$/, '') };
    logger.info(
      version === undefined
        ? 'setting up initial cluster version using v3 API'
        : 'updating cluster version using v3 API',
      version === undefined ? field : { from: version, to: next },
    );
    await member.proposeEntry<'clusterVersionSet'>({ ver: next }, (id) =>
      versionEntry(form, id, next),
    );
    logger.info(
      version === undefined ? 'set initial cluster version' : 'updated cluster version',
      field,
    );
    logger.info('enabled capabilities for version', field);
  }

  /**
   * The releases of the other members; undefined for one that did not tell it. As long as nothing is
   * decided they get some time: a 3.4 that starts late would end with a panic on what the others
   * wrote without knowing of it.
   */
  async #releases(): Promise<(string | undefined)[]> {
    const { clock, cluster } = this.#options.member;
    this.#patienceEnds ??= clock.monotonicMillis() + UNKNOWN_MEMBERS_MILLIS;
    for (;;) {
      const releases = await this.#askAll();
      const { version = LOWEST_CLUSTER_VERSION } = cluster;
      const isOpen = version === LOWEST_CLUSTER_VERSION && releases.includes(undefined);
      const isLate = this.#isStopped || clock.monotonicMillis() >= this.#patienceEnds;
      if (!isOpen || isLate) return releases;
      await new Promise<void>((resolve) => clock.setTimer(UNKNOWN_RETRY_MILLIS, resolve));
    }
  }

  #askAll(): Promise<(string | undefined)[]> {
    const { cluster, calls } = this.#options.member;
    const peers = cluster.members().filter(({ id }) => id !== cluster.localMemberId);
    return Promise.all(
      peers.map(async ({ peerUrls }) => {
        try {
          return (await calls.version(peerUrls, VERSION_TIMEOUT_MILLIS)).server;
        } catch (error) {
          if (isEtcdError(error, 'Stopped')) throw error;
          // Being away is an answer too: the cluster version stays where it is.
          return undefined;
        }
      }),
    );
  }
}
