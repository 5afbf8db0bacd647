import { isLocalMessage, type Message, messageTypeName } from '../../raft/types.js';
import { formatId } from '../membership/member.js';
import { DropLog } from './drop-log.js';
import type { PeerContext } from './peer-context.js';

/** Why a message is not for Raft. */
export type Refusal = 'removed' | 'mismatch' | 'local' | 'overloaded';

/** Hands messages that came from peers to the receiver, save those that are none of its business. */
export class Delivery {
  readonly #context: PeerContext;
  readonly #drops: DropLog;

  constructor(context: PeerContext) {
    this.#context = context;
    this.#drops = new DropLog(context.clock);
  }

  /**
   * Delivers a message.
   * @returns why it was refused; undefined: it was not
   */
  deliver(message: Message): Refusal | undefined {
    return this.refusal(message) ?? this.handOver(message);
  }

  /** Hands over a message that is not to be refused; what there is no room for is counted. */
  handOver(message: Message): 'overloaded' | undefined {
    const { logger, metrics, receiver, localId } = this.#context;
    if (receiver.receive(message)) return undefined;
    const from = formatId(message.from);
    metrics.receivedFailures.with(from).inc();
    const drops = this.#drops.count();
    if (drops > 0) {
      logger.warn(
        'dropped internal Raft message since receiving buffer is full (overloaded network)',
        {
          'message-type': messageTypeName(message.type),
          'local-member-id': localId,
          from,
          'dropped-messages': drops,
        },
      );
    }
    return 'overloaded';
  }

  /** Whether, and why, a message is to be refused. It is logged. */
  refusal({ type, from, to }: Message): Refusal | undefined {
    const { logger, receiver, identity, localId } = this.#context;
    if (receiver.isRemoved(from)) {
      logger.warn('rejected Raft message from removed member', {
        'local-member-id': localId,
        'removed-member-id': formatId(from),
      });
      return 'removed';
    }
    if (to !== identity.memberId) {
      logger.warn('rejected Raft message to mismatch member', {
        'local-member-id': localId,
        'mismatch-member-id': formatId(to),
      });
      return 'mismatch';
    }
    if (!isLocalMessage(type)) return undefined;
    logger.warn('rejected local Raft message from remote peer', {
      'message-type': messageTypeName(type),
      'remote-peer-id': formatId(from),
    });
    return 'local';
  }
}
