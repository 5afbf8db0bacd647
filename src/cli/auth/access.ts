import { type KeyText, keyText } from '../../base/bytes.js';
import { coverage, sharedPrefixLength } from '../../base/key-coverage.js';
import type { KeyRange } from '../../base/key-range-set.js';
import { type Permission, Permission_Type } from '../../proto/gen/authpb/auth.js';

export const ACCESS_KINDS = ['read', 'write'] as const;

export type Access = (typeof ACCESS_KINDS)[number];

/** A permission with the role that has it. */
export interface Rule {
  readonly role: string;
  readonly permission: Permission;
}

/** Roles of a user with their permissions. */
export type RolePermissions = readonly {
  readonly role: string;
  readonly permissions: readonly Permission[];
}[];

/** Why an access is allowed or not. */
export type Reason =
  /** The user has the role root. */
  | 'root'
  /** The rules cover the range. */
  | 'granted'
  | 'no-roles'
  | 'no-permissions'
  /** The rules cover the range, but for the other kind of access. */
  | 'other-access'
  /** The rules cover a part of the range. */
  | 'partly'
  /** The rule is the nearest. */
  | 'elsewhere';

/** May a user read or write a range, and why? */
export interface Verdict {
  readonly allowed: boolean;
  readonly reason: Reason;
  /** What the reason rests on. */
  readonly rules: readonly Rule[];
}

export const MAY_EVERYTHING: Verdict = { allowed: true, reason: 'root', rules: [] };

interface RuleRange extends KeyRange {
  readonly rule: Rule;
}

/** Judges as an etcd does that has authentication on (reference: semantics 7.1). */
export function judge(roles: RolePermissions, access: Access, wanted: KeyRange): Verdict {
  if (roles.length === 0) return refused('no-roles', []);
  const all = roles.flatMap(({ role, permissions }) =>
    permissions.map((permission) => ruleRange({ role, permission })),
  );
  if (all.length === 0) return refused('no-permissions', []);
  const fitting = all.filter(({ rule }) => allows(rule, access));
  const found = coverage(fitting, wanted);
  if (found.isCovered) return { allowed: true, reason: 'granted', rules: rulesOf(found.ranges) };
  const regardless = coverage(all, wanted);
  if (regardless.isCovered) return refused('other-access', regardless.ranges);
  if (found.ranges.length > 0) return refused('partly', found.ranges);
  return refused('elsewhere', [nearest(fitting.length > 0 ? fitting : all, wanted.key)]);
}

function ruleRange(rule: Rule): RuleRange {
  const { key, rangeEnd } = rule.permission;
  return { key: keyText(key), rangeEnd: keyText(rangeEnd), rule };
}

function allows({ permission: { permType } }: Rule, access: Access): boolean {
  return permType !== (access === 'read' ? Permission_Type.WRITE : Permission_Type.READ);
}

function refused(reason: Reason, ranges: readonly RuleRange[]): Verdict {
  return { allowed: false, reason, rules: rulesOf(ranges) };
}

function rulesOf(ranges: readonly RuleRange[]): Rule[] {
  return ranges.map(({ rule }) => rule);
}

/** The range whose key has the longest beginning in common with `key`. */
function nearest(ranges: readonly RuleRange[], key: KeyText): RuleRange {
  return ranges.reduce((best, range) =>
    sharedPrefixLength(range.key, key) > sharedPrefixLength(best.key, key) ? range : best,
  );
}
