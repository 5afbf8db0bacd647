import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sharedPath } from '../support/shared.js';
import { runCommand } from './interaction/commands.js';
import { Environment } from './interaction/environment.js';
import { asOutput, parseCases } from './support/datadriven.js';

const folder = sharedPath('raft-testdata', 'interaction');

/** Scenarios that pass, byte for byte. */
const passing = [
  'async_storage_writes.txt',
  'async_storage_writes_append_aba_race.txt',
  'campaign.txt',
  'campaign_learner_must_vote.txt',
  'checkquorum.txt',
  'confchange_disable_validation.txt',
  'confchange_v1_add_single.txt',
  'confchange_v1_remove_leader.txt',
  'confchange_v1_remove_leader_stepdown.txt',
  'confchange_v2_add_double_auto.txt',
  'confchange_v2_add_double_implicit.txt',
  'confchange_v2_add_single_auto.txt',
  'confchange_v2_add_single_explicit.txt',
  'confchange_v2_replace_leader.txt',
  'confchange_v2_replace_leader_stepdown.txt',
  'forget_leader.txt',
  'forget_leader_prevote_checkquorum.txt',
  'forget_leader_read_only_lease_based.txt',
  'heartbeat_resp_recovers_from_probing.txt',
  'lagging_commit.txt',
  'prevote.txt',
  'prevote_checkquorum.txt',
  'probe_and_replicate.txt',
  'replicate_pause.txt',
  'single_node.txt',
  'slow_follower_after_compaction.txt',
  'snapshot_succeed_via_app_resp.txt',
  'snapshot_succeed_via_app_resp_behind.txt',
];

/** Scenarios that do not pass yet, each with the reason. */
const notYet: readonly { readonly file: string; readonly reason: string }[] = [];

describe.skipIf(folder === undefined)("scenarios of etcd's Raft library", () => {
  it('are all accounted for', () => {
    const known = [...passing, ...notYet.map(({ file }) => file)].sort();
    expect(known).toEqual(readdirSync(folder ?? '').sort());
  });

  it.each(passing)('%s', (file) => {
    const environment = new Environment();
    for (const step of parseCases(readFileSync(join(folder ?? '', file), 'utf8'))) {
      const actual = asOutput(runCommand(environment, step));
      expect(actual, `${file}:${step.line} ${step.command}`).toBe(step.expected);
    }
  });
});
