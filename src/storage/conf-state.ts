import type { ConfState as WireConfState } from '../proto/gen/raftpb/raft.js';

/** Raft's membership as files carry it; see raftpb.ConfState (reference: formats 1.4). */
export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

/** The wire form, with auto_leave always present, as a ConfState that comes from Raft has it. */
export function confStateToWire(state: ConfState): WireConfState {
  return {
    voters: [...state.voters],
    learners: [...state.learners],
    votersOutgoing: [...state.votersOutgoing],
    learnersNext: [...state.learnersNext],
    autoLeave: state.autoLeave,
  };
}

export function confStateFromWire(state: WireConfState): ConfState {
  return { ...state, autoLeave: state.autoLeave ?? false };
}
