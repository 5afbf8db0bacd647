import { type Lease, refreshSeconds } from './lease.js';

/**
 * After a leader change every lease starts anew, so leases that were granted apart may now expire
 * together. Pushes some back so that at most three quarters of the revoke rate expire in any
 * second; the rest of the rate is left for leases that come due by themselves.
 *
 * @param leases all leases, already refreshed
 * @param now monotonic milliseconds
 * @param revokeRate revocations a second that the server can carry out
 * @param extendMillis what each refresh adds (reference: semantics 8, "pile-up on promote")
 */
export function spreadExpiries(
  leases: Iterable<Lease>,
  now: number,
  revokeRate: number,
  extendMillis: number,
): void {
  const byExpiry = [...leases].sort((a, b) => a.expiryMillis - b.expiryMillis);
  const first = byExpiry[0];
  if (first === undefined || byExpiry.length < revokeRate) return;
  const perSecond = Math.floor((3 * revokeRate) / 4);
  let windowBase = first.expiryMillis - now;
  let windowEnd = windowBase + 1000;
  let inWindow = 0;
  for (const lease of byExpiry) {
    const remaining = lease.expiryMillis - now;
    if (remaining > windowEnd) {
      windowBase = remaining;
      windowEnd = windowBase + 1000;
      inWindow = 1;
      continue;
    }
    inWindow++;
    if (inWindow <= perSecond) continue;
    const delay = 1000 * (inWindow / perSecond) - (remaining - windowBase);
    windowEnd = windowBase + delay;
    lease.expiryMillis = now + refreshSeconds(lease) * 1000 + delay + extendMillis;
  }
}
