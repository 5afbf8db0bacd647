import { type EtcdErrorName, etcdError } from '../../proto/errors.js';
import type { Cluster } from './cluster.js';
import { isOneBelow, parseRelease, versionText } from './cluster-version.js';

/** How a downgrade is kept in the bucket `cluster` (reference: formats 4.4). */
export function encodeDowngrade(target: string | undefined): string {
  return JSON.stringify({ 'target-version': target ?? '', enabled: target !== undefined });
}

/**
 * @returns the target of a downgrade that is enabled
 * @throws SyntaxError if the row is no JSON
 */
export function decodeDowngrade(row: string): string | undefined {
  const info: unknown = JSON.parse(row);
  if (typeof info !== 'object' || info === null) return undefined;
  const fields = info as Readonly<Record<string, unknown>>;
  const target = fields['target-version'];
  return fields.enabled === true && typeof target === 'string' ? target : undefined;
}

/**
 * The version that an operator names, as `major.minor.0`; the patch may be left out and does not
 * count.
 * @throws EtcdError WrongDowngradeVersionFormat
 */
export function parseDowngradeTarget(text: string): string {
  const release = parseRelease(text) ?? parseRelease(`${text}.0`);
  if (release === undefined) throw etcdError('WrongDowngradeVersionFormat');
  return versionText(release);
}

/**
 * Why a cluster can't begin to go down to a version (reference: api 16).
 * @returns undefined if it can
 */
export function refusalToDowngrade(
  cluster: Pick<Cluster, 'version' | 'downgradeTarget' | 'isAtLeast'>,
  target: string,
): EtcdErrorName | undefined {
  const running = parseRelease(cluster.version);
  const release = parseRelease(target);
  if (running === undefined) return 'ClusterVersionUnavailable';
  // Trap: a 3.4 ends with a panic when it finds in the log that there is a downgrade.
  if (!cluster.isAtLeast(3, 5)) return 'NotCapable';
  if (release === undefined || !isOneBelow(release, running)) {
    return 'InvalidDowngradeTargetVersion';
  }
  return cluster.downgradeTarget === undefined ? undefined : 'DowngradeInProcess';
}
