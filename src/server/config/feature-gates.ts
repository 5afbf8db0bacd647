import { quoteGo } from '../../base/go-format.js';
import { parseGoBool } from './go-values.js';

/** Maturity of a feature; an ALPHA one is off by default. */
export type FeatureStage = 'ALPHA' | 'BETA';

export interface FeatureGate {
  readonly default: boolean;
  readonly stage: FeatureStage;
}

/** The feature gates (reference: server 1.5). */
export const FEATURE_GATES = {
  CompactHashCheck: { default: false, stage: 'ALPHA' },
  FastLeaseKeepAlive: { default: true, stage: 'BETA' },
  InitialCorruptCheck: { default: false, stage: 'ALPHA' },
  LeaseCheckpoint: { default: false, stage: 'ALPHA' },
  LeaseCheckpointPersist: { default: false, stage: 'ALPHA' },
  PriorityRequest: { default: false, stage: 'ALPHA' },
  SetMemberLocalAddr: { default: false, stage: 'ALPHA' },
  StopGRPCServiceOnDefrag: { default: false, stage: 'ALPHA' },
  TxnModeWriteWithSharedBuffer: { default: true, stage: 'BETA' },
} as const satisfies Record<string, FeatureGate>;

export type FeatureName = keyof typeof FEATURE_GATES;

const STAGE_SWITCHES: ReadonlyMap<string, FeatureStage> = new Map([
  ['AllAlpha', 'ALPHA'],
  ['AllBeta', 'BETA'],
]);

/** What `--feature-gates` sets explicitly, `AllAlpha` and `AllBeta` included, in order. */
export type FeatureSettings = ReadonlyMap<string, boolean>;

/**
 * Reads `A=true,B=false`; the last setting of a gate wins.
 * @throws Error with etcd's text
 */
export function parseFeatureGates(text: string): FeatureSettings {
  const settings = new Map<string, boolean>();
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).trim();
    if (equals < 0) throw new Error(`missing bool value for ${name}`);
    const value = part.slice(equals + 1).trim();
    const on = parseGoBool(value);
    if (on === undefined) {
      const cause = `strconv.ParseBool: parsing ${quoteGo(value)}: invalid syntax`;
      throw new Error(`invalid value of ${name}=${value}, err: ${cause}`);
    }
    if (!Object.hasOwn(FEATURE_GATES, name) && !STAGE_SWITCHES.has(name)) {
      throw new Error(`unrecognized feature gate: ${name}`);
    }
    settings.set(name, on);
  }
  return settings;
}

/** The state of every gate: set explicitly, else by the switch of its stage, else its default. */
export function resolveFeatureGates(
  settings: FeatureSettings,
): Readonly<Record<FeatureName, boolean>> {
  const stageSwitch = new Map<FeatureStage, boolean>();
  for (const [name, stage] of STAGE_SWITCHES) {
    const on = settings.get(name);
    if (on !== undefined) stageSwitch.set(stage, on);
  }
  const state = (name: FeatureName): boolean => {
    const gate = FEATURE_GATES[name];
    return settings.get(name) ?? stageSwitch.get(gate.stage) ?? gate.default;
  };
  return {
    CompactHashCheck: state('CompactHashCheck'),
    FastLeaseKeepAlive: state('FastLeaseKeepAlive'),
    InitialCorruptCheck: state('InitialCorruptCheck'),
    LeaseCheckpoint: state('LeaseCheckpoint'),
    LeaseCheckpointPersist: state('LeaseCheckpointPersist'),
    PriorityRequest: state('PriorityRequest'),
    SetMemberLocalAddr: state('SetMemberLocalAddr'),
    StopGRPCServiceOnDefrag: state('StopGRPCServiceOnDefrag'),
    TxnModeWriteWithSharedBuffer: state('TxnModeWriteWithSharedBuffer'),
  };
}
