/** What happens to one node; the numbers are those of the wire. */
export const ConfChangeType = {
  AddNode: 0,
  RemoveNode: 1,
  UpdateNode: 2,
  AddLearnerNode: 3,
} as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

/** How a change that needs a joint configuration passes through it. */
export const ConfChangeTransition = { Auto: 0, JointImplicit: 1, JointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

/** One step of a change. `nodeId` 0 makes it a step that changes nothing. */
export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly nodeId: bigint;
}

/** The first form of a change: one step (payload of an EntryConfChange). */
export interface ConfChange extends ConfChangeSingle {
  /** Request id of whoever waits for the outcome. */
  readonly id: bigint;
  readonly context: Buffer;
}

/**
 * The second form: any number of steps (payload of an EntryConfChangeV2). No steps with an Auto
 * transition leave the joint configuration.
 * Trap: etcd itself panics on these; never propose one in a cluster that has a real etcd member.
 */
export interface ConfChangeV2 {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Buffer;
}

export type AnyConfChange = ConfChange | ConfChangeV2;

export function isConfChangeV2(change: AnyConfChange): change is ConfChangeV2 {
  return 'changes' in change;
}

/** The second form of either form. */
export function asConfChangeV2(change: AnyConfChange): ConfChangeV2 {
  if (isConfChangeV2(change)) return change;
  return {
    transition: ConfChangeTransition.Auto,
    changes: [{ type: change.type, nodeId: change.nodeId }],
    context: change.context,
  };
}

/**
 * Whether the change has to enter a joint configuration, and then whether it is left
 * automatically; undefined if a simple change does.
 */
export function entersJoint(change: ConfChangeV2): { autoLeave: boolean } | undefined {
  if (change.transition === ConfChangeTransition.Auto && change.changes.length <= 1) {
    return undefined;
  }
  return { autoLeave: change.transition !== ConfChangeTransition.JointExplicit };
}

/** Whether the change leaves a joint configuration. The context does not matter. */
export function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === ConfChangeTransition.Auto && change.changes.length === 0;
}

const TYPE_NAMES = Object.keys(ConfChangeType);
const TRANSITION_NAMES = Object.keys(ConfChangeTransition);

/** As etcd's Raft logs print it. */
export function confChangeText(change: ConfChangeV2): string {
  let text = `transition:ConfChangeTransition${TRANSITION_NAMES[change.transition]}`;
  for (const { type, nodeId } of change.changes) {
    text += ` changes:{type:ConfChange${TYPE_NAMES[type]} node_id:${nodeId}}`;
  }
  if (change.context.length > 0) {
    text += ` context:${JSON.stringify(change.context.toString('latin1'))}`;
  }
  return text;
}
