import { humanizeBytes } from '../../base/go-format.js';
import type { LogDamage, LogVerdict } from '../../offline/logs/verify-log.js';
import { JsonObject, jsonString } from '../printers/go-json.js';

/** What `wal verify` says of a log, in lines. */
export function logVerdictText(verdict: LogVerdict): string {
  const { directory, isSound, damage, torn, problems, segments, snapshots = [] } = verdict;
  const files = segments.map(
    ({ name, records, usedBytes }) =>
      `  ${name}: ${records} records, ${humanizeBytes(usedBytes)} in use`,
  );
  const snaps = snapshots.map(
    ({ name, isRecorded, fault }) =>
      `  ${name}: ${fault ?? 'whole'}${isRecorded || damage !== undefined ? '' : ', the log does not know it'}`,
  );
  const head =
    damage === undefined
      ? `${directory}: ${isSound ? 'sound' : 'DAMAGED'} (${extentText(verdict)})`
      : `${directory}: DAMAGED: ${damage.reason} (${placeText(damage)})`;
  const lines = [head, ...problems.map((problem) => `  ${problem}`)];
  if (damage !== undefined) lines.push(`can be saved: ${extentText(verdict)}`);
  if (torn !== undefined) {
    lines.push(
      `torn at its end, as after a crash: ${torn.reason} (${placeText(torn)}); a start cuts that off`,
    );
  }
  lines.push(...behindLines(verdict), ...files, ...snaps, '');
  return lines.join('\n');
}

function extentText({ extent, hardState }: LogVerdict): string {
  const { entries, firstIndex, lastIndex, lastTerm } = extent;
  const range =
    entries === 0
      ? 'no entries'
      : `${entries} entries, ${firstIndex} to ${lastIndex}, the last of term ${lastTerm}`;
  return `${range}; commit ${hardState.commit}, term ${hardState.term}`;
}

function placeText({ file, offset, record }: LogDamage): string {
  return `${file}, offset ${offset}, record ${record}`;
}

function behindLines({ behind, damage }: LogVerdict): string[] {
  if (behind === undefined || damage === undefined) return [];
  const { records, offset, firstIndex, lastIndex } = behind;
  const entries = lastIndex > 0 ? `, entries ${firstIndex} to ${lastIndex}` : '';
  return [
    `behind it ${records} records of this file are whole again, from offset ${offset} on${entries}`,
    'dump-logs --raw shows them; keep a copy before anything is started on this log',
  ];
}

/** The same as one JSON object. */
export function logVerdictJson(verdict: LogVerdict): string {
  const { directory, isSound, damage, torn, behind, extent, hardState } = verdict;
  return new JsonObject()
    .requiredString('path', directory)
    .requiredBoolean('sound', isSound)
    .message('damage', damage, damageJson)
    .message('torn', torn, damageJson)
    .requiredNumber('entries', extent.entries)
    .requiredNumber('firstIndex', extent.firstIndex)
    .requiredNumber('lastIndex', extent.lastIndex)
    .requiredNumber('lastTerm', extent.lastTerm)
    .requiredNumber('term', hardState.term)
    .requiredNumber('commit', hardState.commit)
    .message('behind', behind, ({ offset, records, firstIndex, lastIndex }) =>
      new JsonObject()
        .requiredNumber('offset', offset)
        .requiredNumber('records', records)
        .requiredNumber('firstIndex', firstIndex)
        .requiredNumber('lastIndex', lastIndex)
        .toString(),
    )
    .list('segments', verdict.segments, ({ name, records, usedBytes }) =>
      new JsonObject()
        .requiredString('name', name)
        .requiredNumber('records', records)
        .requiredNumber('usedBytes', usedBytes)
        .toString(),
    )
    .list('snapshots', verdict.snapshots ?? [], ({ name, isRecorded, fault }) =>
      new JsonObject()
        .requiredString('name', name)
        .requiredBoolean('recorded', isRecorded)
        .message('fault', fault, jsonString)
        .toString(),
    )
    .strings('problems', verdict.problems)
    .toString();
}

function damageJson({ file, offset, record, reason }: LogDamage): string {
  return new JsonObject()
    .requiredString('file', file)
    .requiredNumber('offset', offset)
    .requiredNumber('record', record)
    .requiredString('reason', reason)
    .toString();
}
