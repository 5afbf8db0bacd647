import { formatGoDuration } from '../base/go-format.js';
import type { AppliedKind } from './apply/requests.js';
import type { MemberParts } from './member-parts.js';

/** Counts applied requests by how long they took, and tells of the slow ones. */
export function applyObserver({
  metrics,
  settings,
  logger,
}: Pick<MemberParts, 'metrics' | 'settings' | 'logger'>) {
  const { warningApplyMillis } = settings;
  return (kind: AppliedKind, millis: number, succeeded: boolean): void => {
    metrics?.observeApply(kind, millis / 1000, succeeded);
    if (millis <= warningApplyMillis) return;
    metrics?.slowApplies.inc();
    logger.warn('apply request took too long', {
      took: formatGoDuration(millis * 1e6),
      'expected-duration': formatGoDuration(warningApplyMillis * 1e6),
      prefix: '',
      request: kind,
    });
  };
}
