import { Permission_Type } from '../../proto/gen/authpb/auth.js';
import type { Reason, Rule } from '../auth/access.js';
import { rangeText } from '../auth/range-text.js';
import { enumName, lines } from './go-text.js';
import type { AccessAnswer } from './printer.js';

/** What stands before each rule, by what the rules mean. */
const TITLES: Readonly<Record<Reason, string>> = {
  root: '',
  granted: '',
  'no-roles': '',
  'no-permissions': '',
  'other-access': 'nearest: ',
  partly: 'only a part: ',
  elsewhere: 'nearest: ',
};

/** `yes` or `no`, then why, a line for each rule. */
export function accessText({ user, verdict }: AccessAnswer): Buffer {
  const { allowed, reason, rules } = verdict;
  return lines([
    allowed ? 'yes' : 'no',
    ...withoutRules(reason, user),
    ...rules.map((rule) => TITLES[reason] + ruleText(rule)),
  ]);
}

function withoutRules(reason: Reason, user: string): string[] {
  switch (reason) {
    case 'root':
      return [`user ${user} has the role root, which may do everything`];
    case 'no-roles':
      return [`user ${user} has no roles`];
    case 'no-permissions':
      return [`the roles of user ${user} have no permissions`];
    default:
      return [];
  }
}

function ruleText({ role, permission }: Rule): string {
  const type = enumName(Permission_Type, permission.permType).toLowerCase();
  return `role ${role} grants ${type} on ${rangeText(permission)}`;
}
