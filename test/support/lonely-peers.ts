import type { PeerCalls } from '../../src/server/peer/peer-calls.js';
import type { PeerTransport } from '../../src/server/peer/peer-transport.js';

/** The transport of a member that is alone: there is nobody to send to. */
export function lonelyTransport(): PeerTransport {
  return {
    start() {},
    send(messages) {
      if (messages.length > 0) throw new Error('a member that is alone sent a message');
    },
    sendSnapshot() {
      throw new Error('a member that is alone sent a snapshot');
    },
    addPeer() {},
    addRemote() {},
    updatePeer() {},
    removePeer() {},
    removeAllPeers() {},
    activeSince: () => undefined,
    stop: async () => {},
  };
}

const askNobody = (): Promise<never> => Promise.reject(new Error('there is nobody to ask'));

/** The calls of a member that is alone. */
export const lonelyCalls: PeerCalls = {
  members: askNobody,
  version: askNobody,
  downgradeEnabled: askNobody,
  hashKeyValues: askNobody,
  renewLease: askNobody,
  leaseTimeToLive: askNobody,
  promote: askNobody,
  close: async () => {},
};
