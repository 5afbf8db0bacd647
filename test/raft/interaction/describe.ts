import { decodeConfChange } from '../../../src/raft/confchange/codec.js';
import { asConfChangeV2, type ConfChangeSingle } from '../../../src/raft/confchange/conf-change.js';
import type { Ready, StorageAppend, StorageApply } from '../../../src/raft/ready.js';
import {
  type Entry,
  EntryType,
  idText,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  messageTypeName,
  NONE,
  newMessage,
  Role,
  type Snapshot,
} from '../../../src/raft/types.js';

const ENTRY_TYPES = ['EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'];

/** By the number of a step's type. */
const STEP_LETTERS = ['v', 'r', 'u', 'l'] as const;

/** The short form: `v1 l2 r3 u4`. */
function stepsText(changes: readonly ConfChangeSingle[]): string {
  return changes.map(({ type, nodeId }) => `${STEP_LETTERS[type]}${idText(nodeId)}`).join(' ');
}

/** The name of a role: `StateLeader`. */
export function roleName(role: Role): string {
  const names = Object.entries(Role).map(([name, value]) => [value, `State${name}`] as const);
  return new Map(names).get(role) ?? String(role);
}

function describeEntry(entry: Entry): string {
  const data =
    entry.type === EntryType.Normal
      ? JSON.stringify(entry.data.toString())
      : stepsText(asConfChangeV2(decodeConfChange(entry)).changes);
  const head = `${entry.term}/${entry.index} ${ENTRY_TYPES[entry.type]}`;
  return data === '' ? head : `${head} ${data}`;
}

export function describeEntries(entries: readonly Entry[]): string {
  return entries.map((entry) => `${describeEntry(entry)}\n`).join('');
}

function describeTarget(id: bigint): string {
  if (id === NONE) return 'None';
  if (id === LOCAL_APPEND_THREAD) return 'AppendThread';
  if (id === LOCAL_APPLY_THREAD) return 'ApplyThread';
  return idText(id);
}

function describeSnapshot(snapshot: Snapshot): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = snapshot.confState;
  const list = (ids: readonly bigint[]): string => `[${ids.join(' ')}]`;
  return (
    `Index:${snapshot.index} Term:${snapshot.term} ConfState:Voters:${list(voters)} ` +
    `VotersOutgoing:${list(votersOutgoing)} Learners:${list(learners)} ` +
    `LearnersNext:${list(learnersNext)} AutoLeave:${autoLeave}`
  );
}

/** A message, without a final newline. */
export function describeMessage(
  message: Message,
  responses: readonly Message[] = [],
  indent = '',
): string {
  const { entries, snapshot } = message;
  let text =
    `${indent}${describeTarget(message.from)}->${describeTarget(message.to)} ` +
    `${messageTypeName(message.type)} Term:${message.term} Log:${message.logTerm}/${message.index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== NONE) text += ` Vote:${message.vote}`;
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) {
    text += ` Entries:[${describeEntry(first)}]`;
  } else if (entries.length > 1) {
    const lines = entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`);
    text += ` Entries:[${lines.join('')}\n${indent}]`;
  }
  if (snapshot !== undefined) text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  if (responses.length > 0) {
    const lines = responses.map((response) => `\n${describeMessage(response, [], `${indent}  `)}`);
    text += ` Responses:[${lines.join('')}\n${indent}]`;
  }
  return text;
}

/** An append as the message to the append thread that it is in etcd's library. */
export function appendMessage(id: bigint, append: StorageAppend): Message {
  const message = newMessage(MessageType.StorageAppend, LOCAL_APPEND_THREAD);
  message.from = id;
  message.entries = append.entries;
  message.snapshot = append.snapshot;
  if (append.hardState !== undefined) {
    message.term = append.hardState.term;
    message.vote = append.hardState.vote;
    message.commit = append.hardState.commit;
  }
  return message;
}

/** An apply as the message to the apply thread that it is in etcd's library. */
export function applyMessage(id: bigint, apply: StorageApply): Message {
  const message = newMessage(MessageType.StorageApply, LOCAL_APPLY_THREAD);
  message.from = id;
  message.entries = apply.entries;
  return message;
}

export function describeReady(id: bigint, ready: Ready): string {
  let text = '';
  if (ready.softState !== undefined) {
    text += `Lead:${ready.softState.lead} State:${roleName(ready.softState.role)}\n`;
  }
  if (ready.hardState !== undefined) {
    const { term, vote, commit } = ready.hardState;
    text += `HardState Term:${term}${vote === NONE ? '' : ` Vote:${vote}`} Commit:${commit}\n`;
  }
  if (ready.readStates.length > 0) {
    const states = ready.readStates.map(
      ({ index, context }) => `{${index} [${[...context].join(' ')}]}`,
    );
    text += `ReadStates [${states.join(' ')}]\n`;
  }
  if (ready.entries.length > 0) text += `Entries:\n${describeEntries(ready.entries)}`;
  if (ready.snapshot !== undefined) text += `Snapshot ${describeSnapshot(ready.snapshot)}\n`;
  if (ready.committedEntries.length > 0) {
    text += `CommittedEntries:\n${describeEntries(ready.committedEntries)}`;
  }
  const messages = ready.messages.map((message) => describeMessage(message));
  if (ready.append !== undefined) {
    messages.push(describeMessage(appendMessage(id, ready.append), ready.append.responses));
  }
  if (ready.apply !== undefined) {
    messages.push(describeMessage(applyMessage(id, ready.apply), [ready.apply.response]));
  }
  if (messages.length > 0) text += `Messages:\n${messages.map((line) => `${line}\n`).join('')}`;
  return text === '' ? '<empty Ready>' : `Ready MustSync=${ready.mustSync}:\n${text}`;
}
