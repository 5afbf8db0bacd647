import { isLocalMessage, type Message, messageTypeName } from '../../raft/types.js';
import { formatId } from '../membership/member.js';
import type { PeerContext } from './peer-context.js';

/** Why a message is not for Raft. */
export type Refusal = 'removed' | 'mismatch' | 'local';

/** Hands messages that came from peers to the receiver, save those that are none of its business. */
export class Delivery {
  readonly #context: PeerContext;

  constructor(context: PeerContext) {
    this.#context = context;
  }

  /**
   * Delivers a message.
   * @returns why it was refused; undefined: it was not
   */
  deliver(message: Message): Refusal | undefined {
    const refusal = this.refusal(message);
    if (refusal === undefined) this.#context.receiver.receive(message);
    return refusal;
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
