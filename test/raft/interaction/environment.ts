import { decodeConfChange } from '../../../src/raft/confchange/codec.js';
import { asConfChangeV2 } from '../../../src/raft/confchange/conf-change.js';
import type { RaftConfig } from '../../../src/raft/config.js';
import { MemoryStorage } from '../../../src/raft/memory-storage.js';
import { RawNode } from '../../../src/raft/raw-node.js';
import type { Ready, StorageAppend, StorageApply } from '../../../src/raft/ready.js';
import {
  type ConfState,
  type Entry,
  EntryType,
  isLocalThread,
  type Message,
  type MessageType,
  type Snapshot,
} from '../../../src/raft/types.js';
import { zeroRandom } from '../support/node.js';
import { appendMessage, applyMessage, describeMessage, describeReady } from './describe.js';
import { Output } from './output.js';

/** Storage whose snapshot is always the state after the entry that was applied last. */
class HistoryStorage extends MemoryStorage {
  readonly history: Snapshot[];

  constructor(initial: Snapshot) {
    super();
    this.history = [initial];
  }

  override snapshot(): Snapshot {
    const last = this.history.at(-1);
    if (last === undefined) throw new Error('no snapshot');
    return last;
  }
}

export interface Node {
  readonly id: bigint;
  readonly raw: RawNode;
  readonly storage: HistoryStorage;
  readonly isAsync: boolean;
  readonly appendWork: StorageAppend[];
  readonly applyWork: StorageApply[];
}

export type NodeOptions = Partial<Omit<RaftConfig, 'id' | 'storage' | 'random' | 'logger'>>;

/** Some nodes and the messages in flight between them. */
export class Environment {
  readonly output = new Output();
  readonly nodes: Node[] = [];
  messages: Message[] = [];

  node(id: bigint): Node {
    const node = this.nodes[Number(id) - 1];
    if (node === undefined) throw new Error(`unknown node ${id}`);
    return node;
  }

  addNodes(count: number, options: NodeOptions, snapshot: Snapshot, bootstrap: boolean): void {
    if (bootstrap && snapshot.index <= 1) {
      throw new Error('index must be specified as > 1 due to bootstrap');
    }
    for (let added = 0; added < count; added++) {
      const id = BigInt(this.nodes.length + 1);
      const initial = bootstrap ? { ...snapshot, term: 1 } : snapshot;
      const storage = new HistoryStorage(initial);
      if (bootstrap) storage.applySnapshot(initial);
      const raw = new RawNode({
        id,
        storage,
        electionTick: 3,
        heartbeatTick: 1,
        maxSizePerMessage: Number.POSITIVE_INFINITY,
        maxInflightMessages: 2 ** 31 - 1,
        holdVoteRequests: false,
        random: zeroRandom,
        logger: this.output.logger(),
        ...options,
        applied: snapshot.index,
      });
      const isAsync = options.asyncStorageWrites === true;
      this.nodes.push({ id, raw, storage, isAsync, appendWork: [], applyWork: [] });
    }
  }

  processReady(node: Node): void {
    const ready = node.raw.ready();
    this.output.write(describeReady(node.id, ready));
    if (node.isAsync) {
      if (ready.append !== undefined) node.appendWork.push(ready.append);
      if (ready.apply !== undefined) node.applyWork.push(ready.apply);
      this.messages.push(...ready.messages);
      return;
    }
    appendToStorage(node, ready);
    applyEntries(node, ready.committedEntries);
    this.messages.push(...ready.messages);
    node.raw.advance();
  }

  processAppendThread(node: Node): void {
    const append = node.appendWork.shift();
    if (append === undefined) {
      this.output.write('no append work to perform');
      return;
    }
    this.#processThread(appendMessage(node.id, append), append.responses, () =>
      appendToStorage(node, append),
    );
  }

  processApplyThread(node: Node): void {
    const apply = node.applyWork.shift();
    if (apply === undefined) {
      this.output.write('no apply work to perform');
      return;
    }
    this.#processThread(applyMessage(node.id, apply), [apply.response], () =>
      applyEntries(node, apply.entries),
    );
  }

  #processThread(work: Message, responses: readonly Message[], process: () => void): void {
    this.output.write(`Processing:\n${describeMessage(work)}\n`);
    process();
    this.output.write('Responses:\n');
    for (const response of responses) this.output.write(`${describeMessage(response)}\n`);
    this.messages.push(...responses);
  }

  /** Removes from the list the messages to `to`, and returns them. */
  #takeMessages(to: bigint, type: MessageType | undefined, drop: boolean): Message[] {
    const taken = this.messages.filter((message) => isAddressed(message, to, type, drop));
    if (taken.length > 0) {
      this.messages = this.messages.filter((message) => !taken.includes(message));
    }
    return taken;
  }

  hasMessages(to: bigint): boolean {
    return this.messages.some((message) => isAddressed(message, to, undefined, false));
  }

  /** Delivers or drops the messages to one node. Returns how many there were. */
  deliver(to: bigint, type: MessageType | undefined, drop: boolean): number {
    const messages = this.#takeMessages(to, type, drop);
    for (const message of messages) {
      this.output.write(`${drop ? 'dropped: ' : ''}${describeMessage(message)}\n`);
      if (drop) continue;
      try {
        this.node(to).raw.step(message);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'RaftError') throw error;
        this.output.write(`${error.message}\n`);
      }
    }
    return messages.length;
  }

  stabilize(nodes: readonly Node[]): void {
    let busy = true;
    const work = (node: Node, header: string, body: () => void): void => {
      this.output.write(`> ${node.id} ${header}\n`);
      body();
      busy = true;
    };
    const indented = (body: () => void): void => this.output.indented(body);
    while (busy) {
      busy = false;
      for (const node of nodes) {
        if (!node.raw.hasReady()) continue;
        work(node, 'handling Ready', () => indented(() => this.processReady(node)));
      }
      for (const node of nodes) {
        if (!this.hasMessages(node.id)) continue;
        work(node, 'receiving messages', () =>
          indented(() => this.deliver(node.id, undefined, false)),
        );
      }
      for (const node of nodes) {
        if (node.appendWork.length === 0) continue;
        work(node, 'processing append thread', () => {
          while (node.appendWork.length > 0) indented(() => this.processAppendThread(node));
        });
      }
      for (const node of nodes) {
        if (node.applyWork.length === 0) continue;
        work(node, 'processing apply thread', () => {
          while (node.applyWork.length > 0) indented(() => this.processApplyThread(node));
        });
      }
    }
  }
}

function isAddressed(
  message: Message,
  to: bigint,
  type: MessageType | undefined,
  drop: boolean,
): boolean {
  const isLocal = message.from === message.to || isLocalThread(message.from);
  return message.to === to && !(drop && isLocal) && (type === undefined || message.type === type);
}

function appendToStorage(
  node: Node,
  { hardState, snapshot, entries }: Pick<Ready, 'hardState' | 'snapshot' | 'entries'>,
): void {
  if (hardState !== undefined) node.storage.setHardState(hardState);
  if (snapshot !== undefined) node.storage.applySnapshot(snapshot);
  node.storage.append(entries);
}

function applyEntries(node: Node, entries: readonly Entry[]): void {
  for (const entry of entries) {
    let update = entry.data;
    const previous = node.storage.snapshot();
    let confState: ConfState = previous.confState;
    if (entry.type !== EntryType.Normal) {
      const change = decodeConfChange(entry);
      update = asConfChangeV2(change).context;
      confState = node.raw.applyConfChange(change);
    }
    node.storage.history.push({
      data: Buffer.concat([previous.data, update]),
      index: entry.index,
      term: entry.term,
      confState,
    });
  }
}
