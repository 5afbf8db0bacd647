import type { Message } from '../../raft/types.js';

/** The database file that goes with a snapshot message. */
export interface SnapshotDatabase {
  /** Length of the bbolt file. */
  readonly bytes: number;
  /** The file from its beginning; to be read once. */
  blocks(): AsyncIterable<Buffer>;
  /** Gives up the view of the backend that it reads from. Must be called, once. */
  close(): void;
}

/**
 * The way to the other members. Its calls never wait: what can't be sent is dropped and reported to
 * the {@link PeerReceiver}, and Raft sends it again.
 * Source: reference, raft-and-peers B1 to B4.
 */
export interface PeerTransport {
  /** Begins to connect. Nothing is received before. */
  start(): void;
  /** Sends messages in their order. Those for unknown members are ignored. Holds no MsgSnap. */
  send(messages: readonly Message[]): void;
  /**
   * Sends a MsgSnap and the database; closes the database in any case, and reports to the receiver
   * how it ended.
   */
  sendSnapshot(message: Message, database: SnapshotDatabase): void;
  /** Adds a member; nothing if it is known already. */
  addPeer(id: bigint, peerUrls: readonly string[]): void;
  /** Adds somebody who may not be a member yet: it is sent to, and not asked for streams. */
  addRemote(id: bigint, peerUrls: readonly string[]): void;
  updatePeer(id: bigint, peerUrls: readonly string[]): void;
  removePeer(id: bigint): void;
  removeAllPeers(): void;
  /** Since when a peer is connected, monotonic ms; undefined: it is not. */
  activeSince(id: bigint): number | undefined;
  stop(): Promise<void>;
}

/** Where a transport delivers. */
export interface PeerReceiver {
  /**
   * Takes a message of a peer. Messages to another member, or from a removed one, are for the
   * transport to refuse.
   * @returns false: there was no room for it, and it is lost; Raft repeats it
   */
  receive(message: Message): boolean;
  /**
   * Stores the database that came with a snapshot, durably; only then is its message received.
   * @throws Error if it could not be stored
   */
  saveSnapshotDatabase(index: number, blocks: AsyncIterable<Buffer>): Promise<void>;
  /** Whether that member was removed from the cluster for good. */
  isRemoved(id: bigint): boolean;
  /** The last messages to that member were probably lost. */
  reportUnreachable(id: bigint): void;
  /** How sending a snapshot ended. Called once for each. */
  reportSnapshot(id: bigint, succeeded: boolean): void;
  /** A peer said that this member was removed: it must stop. */
  reportRemoved(): void;
}

/** Who this member is, towards its peers. */
export interface PeerIdentity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

export type CreatePeerTransport = (identity: PeerIdentity, receiver: PeerReceiver) => PeerTransport;
