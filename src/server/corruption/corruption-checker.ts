import type { LogFields, Logger } from '../../base/logger.js';
import { isEtcdError } from '../../proto/errors.js';
import {
  AlarmRequest_AlarmAction as AlarmAction,
  AlarmRequest,
  AlarmType,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { FROM_KEY } from '../../storage/mvcc/key-range.js';
import type { KeyValueHash } from '../../storage/mvcc/kv-hasher.js';
import type { LocalMember } from '../local-member.js';
import { formatId } from '../membership/member.js';
import {
  compactionVerdict,
  type Finding,
  type PeerAnswer,
  periodicFindings,
  whyNotCompared,
} from './comparison.js';

/** Nobody's: it is not known whose data are wrong. */
const UNKNOWN_MEMBER = 0n;

export type CheckedMember = Pick<
  LocalMember,
  'cluster' | 'store' | 'calls' | 'alarms' | 'requestTimeoutMillis' | 'linearizableRead' | 'propose'
>;

/** An answer, or why there is none. */
interface AskedPeer extends PeerAnswer {
  readonly error: unknown;
}

/**
 * Compares the keys of this member with those of the others by their hashes, and raises the alarm
 * CORRUPT for whoever differs (reference: semantics 11, raft-and-peers B7). Members that can't be
 * asked are left out.
 */
export class CorruptionChecker {
  readonly #member: CheckedMember;
  readonly #logger: Logger;
  /** The revision of the latest compaction that all members agreed on. */
  #checkedRevision = 0;

  constructor(member: CheckedMember, logger: Logger) {
    this.#member = member;
    this.#logger = logger;
  }

  /**
   * Sees that a member that was away has the keys of the others, before it takes part again.
   * @throws Error `<member id> found data inconsistency with peers`
   */
  async initialCheck(): Promise<void> {
    const { store } = this.#member;
    const local = { 'local-member-id': this.#localId };
    this.#logger.info('starting initial corruption check', {
      ...local,
      timeout: this.#timeoutText,
    });
    const isComparable = this.#areHashesComparable();
    const own = await store.hashKeyValues(0);
    let mismatches = 0;
    for (const peer of await this.#askAll(own.revision)) {
      const fields = { ...local, ...initialFields(own, peer) };
      if (peer.hash === undefined) this.#warnOfMissing(peer, fields);
      else if (peer.hash.hash === own.hash) continue;
      else if (peer.hash.compactRevision !== own.compactRevision) {
        this.#logger.warn('found different compact revision values from remote peer', fields);
      } else if (isComparable) {
        this.#logger.warn('found different hash values from remote peer', fields);
        mismatches++;
      }
    }
    if (mismatches > 0) throw new Error(`${this.#localId} found data inconsistency with peers`);
    this.#logger.info('initial corruption checking passed; no corruption', local);
  }

  /**
   * The check of a leader from time to time. It raises one alarm at most.
   * @throws EtcdError of a hash or a read
   */
  async periodicCheck(): Promise<void> {
    const { store, cluster } = this.#member;
    const isComparable = this.#areHashesComparable();
    const before = await store.hashKeyValues(0);
    const peers = await this.#askAll(before.revision);
    await this.#member.linearizableRead();
    const areHashesComparable = isComparable && this.#areHashesComparable();
    const after = await store.hashKeyValues(0);
    const findings = periodicFindings({
      localMemberId: cluster.localMemberId,
      before,
      peers,
      after,
      revision: after.currentRevision,
      areHashesComparable,
    });
    for (const { message, fields } of findings) this.#logger.warn(message, fields);
    await this.#raiseFirst(findings);
    this.#logger.info('finished peer corruption check', {
      'number-of-peers-checked': peers.filter(({ hash }) => hash !== undefined).length,
    });
  }

  /** Compares the hashes that were taken while compacting, the newest first. */
  async compactHashCheck(): Promise<void> {
    this.#logger.info('starting compact hash check', {
      'local-member-id': this.#localId,
      timeout: this.#timeoutText,
    });
    const hashes = this.#member.store.compactionHashes
      .filter(({ revision }) => revision > this.#checkedRevision)
      .sort((left, right) => right.revision - left.revision);
    let checked = 0;
    for (const own of hashes) {
      checked++;
      const peers = await this.#askAll(own.revision);
      if (peers.length > 0 && (await this.#settleCompaction(own, peers))) break;
    }
    this.#logger.info('finished compaction hash check', { 'number-of-hashes-checked': checked });
  }

  /** @returns whether older compactions need no look any more */
  async #settleCompaction(own: KeyValueHash, peers: readonly AskedPeer[]): Promise<boolean> {
    const { localMemberId } = this.#member.cluster;
    for (const peer of peers) {
      const reason = whyNotCompared(own, peer);
      if (reason === undefined) continue;
      this.#logger.warn("Skipped peer's hash", {
        'number-of-peers': peers.length,
        'leader-id': this.#localId,
        'peer-id': formatId(peer.id),
        reason,
      });
    }
    const verdict = compactionVerdict(localMemberId, own, peers);
    if (verdict.kind === 'equal') return this.#noteEqual(own, verdict.isComplete, peers.length);
    const fields = {
      'leader-id': this.#localId,
      'leader-revision': own.revision,
      'leader-compact-revision': own.compactRevision,
      'leader-hash': own.hash,
    };
    if (verdict.wrong === undefined) {
      this.#logger.error(
        'Detected compaction hash mismatch but cannot identify the corrupted members, so intentionally set the memberID as 0',
        fields,
      );
      await this.#raise(UNKNOWN_MEMBER);
      return true;
    }
    for (const id of verdict.wrong) {
      this.#logger.error('Detected compaction hash mismatch', {
        ...fields,
        'corrupted-member-id': formatId(id),
      });
      await this.#raise(id);
    }
    return true;
  }

  #noteEqual({ revision }: KeyValueHash, isComplete: boolean, peers: number): boolean {
    const fields = { 'number-of-peers': peers, revision };
    if (!isComplete) {
      this.#logger.warn('successfully checked hash on partial cluster', fields);
      return false;
    }
    this.#logger.info('successfully checked hash on whole cluster', fields);
    this.#checkedRevision = Math.max(this.#checkedRevision, revision);
    return true;
  }

  async #raiseFirst([first]: readonly Finding[]): Promise<void> {
    if (first !== undefined) await this.#raise(first.memberId);
  }

  async #raise(memberID: bigint): Promise<void> {
    const raised = this.#member.alarms.list(AlarmType.CORRUPT);
    // It is up already; the log need not hear of it at each check.
    if (raised.some((alarm) => alarm.memberID === memberID)) return;
    const request = { action: AlarmAction.ACTIVATE, memberID, alarm: AlarmType.CORRUPT };
    await this.#member.propose('alarm', request, AlarmRequest.encode(request).finish());
  }

  /**
   * Trap: where no key is left, a hash covers what a compaction has not deleted yet, and so depends
   * on how far each member is with that. etcd compares it all the same, and raises false alarms.
   */
  #areHashesComparable(): boolean {
    const { reader } = this.#member.store;
    if (reader.compactRevision <= 0) return true;
    return reader.select('', FROM_KEY, reader.revision, 1).length > 0;
  }

  #askAll(revision: number): Promise<AskedPeer[]> {
    const { cluster, calls, requestTimeoutMillis } = this.#member;
    const others = cluster.members().filter(({ id }) => id !== cluster.localMemberId);
    return Promise.all(
      others.map(async ({ id, peerUrls }): Promise<AskedPeer> => {
        try {
          const hash = await calls.hashKeyValues(peerUrls, revision, requestTimeoutMillis);
          return { id, hash, error: undefined };
        } catch (error) {
          this.#logger.warn('failed hash kv request', {
            'local-member-id': this.#localId,
            'requested-revision': revision,
            'remote-peer-id': formatId(id),
            error: textOf(error),
          });
          return { id, hash: undefined, error };
        }
      }),
    );
  }

  #warnOfMissing({ error }: AskedPeer, fields: LogFields): void {
    const why = { ...fields, error: textOf(error) };
    if (isEtcdError(error, 'FutureRev')) {
      this.#logger.warn('cannot fetch hash from slow remote peer', why);
    } else if (isEtcdError(error, 'Compacted')) {
      this.#logger.warn('cannot fetch hash from remote peer; local member is behind', why);
    } else if (isEtcdError(error, 'ClusterIDMismatch')) {
      this.#logger.warn('cluster ID mismatch', why);
    }
  }

  get #localId(): string {
    return formatId(this.#member.cluster.localMemberId);
  }

  get #timeoutText(): string {
    return `${this.#member.requestTimeoutMillis / 1000}s`;
  }
}

function initialFields(own: KeyValueHash, { id, hash }: AskedPeer): LogFields {
  return {
    'local-member-revision': own.revision,
    'local-member-compact-revision': own.compactRevision,
    'local-member-hash': own.hash,
    'remote-peer-id': formatId(id),
    ...(hash === undefined
      ? {}
      : {
          'remote-peer-revision': hash.revision,
          'remote-peer-compact-revision': hash.compactRevision,
          'remote-peer-hash': hash.hash,
        }),
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
