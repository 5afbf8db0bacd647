import { ConfChangeTransition } from '../../../src/raft/confchange/conf-change.js';
import { EMPTY_CONF_STATE, MessageType, newMessage } from '../../../src/raft/types.js';
import { parseTokens } from '../support/conf-change-tokens.js';
import type { Case, CommandArg } from '../support/datadriven.js';
import { describeEntries, describeMessage, roleName } from './describe.js';
import type { Environment, Node, NodeOptions } from './environment.js';

type Command = (environment: Environment, step: Case) => void;

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

/** The bare numeric arguments, as ids. */
function ids(step: Case): bigint[] {
  return step.args
    .filter(({ key, values }) => values.length === 0 && isNumber(key))
    .map(({ key }) => BigInt(key));
}

function nodeAt(environment: Environment, step: Case, position = 0): Node {
  const id = ids(step)[position];
  if (id === undefined) throw new Error(`line ${step.line}: missing node id`);
  return environment.node(id);
}

function option(step: Case, key: string): string | undefined {
  return step.args.find((arg) => arg.key === key)?.values[0];
}

function required(step: Case, key: string): string {
  const value = option(step, key);
  if (value === undefined) throw new Error(`line ${step.line}: missing ${key}`);
  return value;
}

function addNodes(environment: Environment, step: Case): void {
  const [first, ...rest] = step.args;
  const options: { -readonly [K in keyof NodeOptions]: NodeOptions[K] } = {};
  let voters: bigint[] = [];
  let learners: bigint[] = [];
  let index = 0;
  let content = '';
  const isTrue = ({ values }: CommandArg): boolean => values[0] === 'true';
  for (const arg of rest) {
    const value = arg.values[0] ?? '';
    switch (arg.key) {
      case 'voters':
        voters = arg.values.map(BigInt);
        break;
      case 'learners':
        learners = arg.values.map(BigInt);
        break;
      case 'index':
        index = Number(value);
        break;
      case 'content':
        content = value;
        break;
      case 'inflight':
        options.maxInflightMessages = Number(value);
        break;
      case 'async-storage-writes':
        options.asyncStorageWrites = isTrue(arg);
        break;
      case 'prevote':
        options.preVote = isTrue(arg);
        break;
      case 'checkquorum':
        options.checkQuorum = isTrue(arg);
        break;
      case 'max-committed-size-per-ready':
        options.maxCommittedSizePerReady = Number(value);
        break;
      case 'disable-conf-change-validation':
        options.disableConfChangeValidation = isTrue(arg);
        break;
      case 'step-down-on-removal':
        options.stepDownOnRemoval = isTrue(arg);
        break;
      case 'read-only':
        if (value !== 'safe' && value !== 'lease-based') throw new Error(`invalid ${value}`);
        options.readOnlyOption = value;
        break;
      default:
        throw new Error(`unknown option ${arg.key}`);
    }
  }
  const snapshot = {
    data: Buffer.from(content),
    index,
    term: 0,
    confState: { ...EMPTY_CONF_STATE, voters, learners },
  };
  const bootstrap = voters.length > 0 || learners.length > 0 || index > 0 || content !== '';
  environment.addNodes(Number(first?.key), options, snapshot, bootstrap);
}

function deliverMessages(environment: Environment, step: Case): void {
  let type: MessageType | undefined;
  const recipients: { id: bigint; drop: boolean }[] = [];
  for (const { key, values } of step.args) {
    if (key === 'drop') recipients.push(...values.map((id) => ({ id: BigInt(id), drop: true })));
    else if (key === 'type') type = messageType(values[0]);
    else recipients.push({ id: BigInt(key), drop: false });
  }
  let count = 0;
  for (const { id, drop } of recipients) count += environment.deliver(id, type, drop);
  if (count === 0) environment.output.write('no messages\n');
}

function messageType(name: string | undefined): MessageType {
  const found = Object.entries(MessageType).find(([key]) => `Msg${key}` === name);
  if (found === undefined) throw new Error(`unknown message type ${name}`);
  return found[1];
}

/** Runs `body` for the nodes of a command, with headers if there are several. */
function forEachNode(header: string, body: (environment: Environment, node: Node) => void) {
  return (environment: Environment, step: Case): void => {
    const nodes = ids(step).map((id) => environment.node(id));
    for (const node of nodes) {
      if (nodes.length === 1) {
        body(environment, node);
        continue;
      }
      environment.output.write(`> ${node.id} ${header}\n`);
      environment.output.indented(() => body(environment, node));
    }
  };
}

function stabilize(environment: Environment, step: Case): void {
  const chosen = ids(step);
  const nodes = chosen.length > 0 ? chosen.map((id) => environment.node(id)) : environment.nodes;
  const level = option(step, 'log-level');
  const previous = level === undefined ? undefined : environment.output.setLevel(level);
  environment.stabilize(nodes);
  if (previous !== undefined) environment.output.setLevel(previous);
}

function raftLog(environment: Environment, step: Case): void {
  const { storage } = nodeAt(environment, step);
  const first = storage.firstIndex();
  const last = storage.lastIndex();
  environment.output.write(
    last < first
      ? `log is empty: first index=${first}, last index=${last}`
      : describeEntries(storage.entries(first, last + 1, Number.POSITIVE_INFINITY)),
  );
}

function raftState(environment: Environment): void {
  for (const { id, raw } of environment.nodes) {
    const { role, config, term, lead } = raw.status();
    const voter = config.voters.has(id) ? '(Voter)' : '(Non-Voter)';
    environment.output.write(`${id}: ${roleName(role)} ${voter} Term:${term} Lead:${lead}\n`);
  }
}

function status(environment: Environment, step: Case): void {
  for (const [id, progress] of nodeAt(environment, step).raw.status().progress) {
    environment.output.write(`${id}: ${progress.text}\n`);
  }
}

function sendSnapshot(environment: Environment, step: Case): void {
  const from = nodeAt(environment, step);
  const to = nodeAt(environment, step, 1);
  const message = newMessage(MessageType.Snap, to.id);
  message.from = from.id;
  message.term = from.raw.status().term;
  message.snapshot = from.storage.snapshot();
  environment.messages.push(message);
  environment.output.write(describeMessage(message));
}

function proposeConfChange(environment: Environment, step: Case): void {
  const changes = parseTokens(step.input);
  const context = Buffer.alloc(0);
  const transitions: Readonly<Record<string, ConfChangeTransition>> = {
    auto: ConfChangeTransition.Auto,
    implicit: ConfChangeTransition.JointImplicit,
    explicit: ConfChangeTransition.JointExplicit,
  };
  const transition = transitions[option(step, 'transition') ?? 'auto'];
  if (transition === undefined) throw new Error('unknown transition');
  const { raw } = nodeAt(environment, step);
  if (option(step, 'v1') !== 'true') {
    raw.proposeConfChange({ transition, changes, context });
    return;
  }
  const [change] = changes;
  if (changes.length > 1 || change === undefined || transition !== ConfChangeTransition.Auto) {
    throw new Error('v1 conf change can only have one operation and no transition');
  }
  raw.proposeConfChange({ ...change, id: 0n, context });
}

function tick(count: number): Command {
  return (environment, step) => {
    const { raw } = nodeAt(environment, step);
    for (let ticks = 0; ticks < count; ticks++) raw.tick();
  };
}

const COMMANDS: Readonly<Record<string, Command>> = {
  'add-nodes': addNodes,
  campaign: (environment, step) => nodeAt(environment, step).raw.campaign(),
  compact: (environment, step) => {
    nodeAt(environment, step).storage.compact(Number(step.args[1]?.key));
    raftLog(environment, step);
  },
  'deliver-msgs': deliverMessages,
  'process-ready': forEachNode('handling Ready', (environment, node) =>
    environment.processReady(node),
  ),
  'process-append-thread': forEachNode('processing append thread', (environment, node) =>
    environment.processAppendThread(node),
  ),
  'process-apply-thread': forEachNode('processing apply thread', (environment, node) =>
    environment.processApplyThread(node),
  ),
  stabilize,
  'log-level': (environment, step) => {
    environment.output.setLevel(step.args[0]?.key ?? '');
  },
  'raft-log': raftLog,
  'raft-state': raftState,
  status,
  'set-randomized-election-timeout': (environment, step) => {
    const { core } = nodeAt(environment, step).raw.raft;
    core.randomizedElectionTimeout = Number(required(step, 'timeout'));
  },
  'tick-election': tick(3),
  'tick-heartbeat': tick(1),
  'transfer-leadership': (environment, step) => {
    const from = environment.node(BigInt(required(step, 'from')));
    from.raw.transferLeader(BigInt(required(step, 'to')));
  },
  'forget-leader': (environment, step) => nodeAt(environment, step).raw.forgetLeader(),
  'send-snapshot': sendSnapshot,
  propose: (environment, step) => {
    nodeAt(environment, step).raw.propose(Buffer.from(step.args[1]?.key ?? ''));
  },
  'propose-conf-change': proposeConfChange,
  'report-unreachable': (environment, step) => {
    nodeAt(environment, step).raw.reportUnreachable(nodeAt(environment, step, 1).id);
  },
};

/** Carries out one case and returns what it prints. */
export function runCommand(environment: Environment, step: Case): string {
  const { output } = environment;
  output.take();
  let failure = '';
  try {
    const command = COMMANDS[step.command];
    if (command === undefined) throw new Error('unknown command');
    command(environment, step);
  } catch (error) {
    if (!(error instanceof Error) || error.name === 'RaftInvariantError') throw error;
    failure = error.message;
  }
  const text = output.take();
  if (output.quiet) return failure === '' ? 'ok' : failure;
  return text === '' && failure === '' ? 'ok' : text + failure;
}
