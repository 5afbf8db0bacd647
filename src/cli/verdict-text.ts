import { humanizeBytes } from '../base/go-format.js';
import type { DamageSite, ReadableBucket, Verdict } from '../offline/verify-file.js';
import { JsonObject } from './printers/go-json.js';

/** What `db verify` says of a file, in lines. */
export function verdictText(file: string, verdict: Verdict): string {
  if (verdict.isSound) {
    const { buckets, usedPages, revision } = verdict.checked;
    const rows = buckets.reduce((sum, bucket) => sum + bucket.rows, 0);
    const lines = buckets.map(
      ({ name, rows: count, bytes }) => `  ${name}: ${count} rows, ${humanizeBytes(bytes)}`,
    );
    return [
      `${file}: sound (${verdict.kind}, ${usedPages} pages in use, ${rows} rows, revision ${revision})`,
      ...lines,
      '',
    ].join('\n');
  }
  const { buckets, scannedKeyRows, scannedRevision } = verdict.salvage;
  const saved = buckets.map((bucket) => `  ${bucketText(bucket)}`);
  return [
    `${file}: DAMAGED: ${damageText(verdict.damage)}`,
    'readable:',
    ...(saved.length > 0 ? saved : ['  no bucket']),
    `on all leaves of the file: ${scannedKeyRows} rows of keys, up to revision ${scannedRevision} (dump-db scan-keys shows them)`,
    '',
  ].join('\n');
}

/** The same as one JSON object. */
export function verdictJson(file: string, verdict: Verdict): string {
  const json = new JsonObject()
    .requiredString('path', file)
    .requiredBoolean('sound', verdict.isSound);
  if (verdict.isSound) {
    const { buckets, usedPages, revision, hash } = verdict.checked;
    json
      .requiredString('kind', verdict.kind)
      .requiredNumber('usedPages', usedPages)
      .requiredNumber('revision', revision)
      .requiredNumber('hash', hash)
      .list('buckets', buckets, ({ name, rows, bytes }) =>
        new JsonObject()
          .requiredString('name', name)
          .requiredNumber('rows', rows)
          .requiredNumber('bytes', bytes)
          .toString(),
      );
    return `${json.toString()}\n`;
  }
  const { damage, salvage } = verdict;
  json
    .raw('damage', damageJson(damage))
    .list('buckets', salvage.buckets, readableJson)
    .requiredNumber('scannedKeyRows', salvage.scannedKeyRows)
    .requiredNumber('scannedRevision', salvage.scannedRevision);
  return `${json.toString()}\n`;
}

function damageText({ offset, page, row, reason }: DamageSite): string {
  const place: string[] = [];
  if (offset !== undefined) place.push(`offset ${offset}`);
  if (page !== undefined) place.push(`page ${page}`);
  if (row !== undefined) place.push(`bucket ${row.bucket}`, `row ${row.key}`);
  return place.length === 0 ? reason : `${reason} (${place.join(', ')})`;
}

function damageJson({ offset, page, row, reason }: DamageSite): string {
  const json = new JsonObject().requiredString('reason', reason);
  if (offset !== undefined) json.requiredNumber('offset', offset);
  if (page !== undefined) json.requiredNumber('page', page);
  if (row !== undefined) json.requiredString('bucket', row.bucket).requiredString('row', row.key);
  return json.toString();
}

function bucketText({ name, isWhole, rows, upToRevision }: ReadableBucket): string {
  const upTo = upToRevision === undefined ? '' : `, up to revision ${upToRevision}`;
  return `${name}: ${isWhole ? 'whole,' : 'only the first'} ${rows} rows${upTo}`;
}

function readableJson({ name, isWhole, rows, upToRevision }: ReadableBucket): string {
  const json = new JsonObject()
    .requiredString('name', name)
    .requiredBoolean('whole', isWhole)
    .requiredNumber('rows', rows);
  if (upToRevision !== undefined) json.requiredNumber('upToRevision', upToRevision);
  return json.toString();
}
