import type { LogOutline } from '../../offline/logs/log-outline.js';
import type { LogSnapshot } from '../../offline/logs/open-log.js';
import { JsonObject, jsonArray } from '../printers/go-json.js';
import { hexId } from '../printers/go-text.js';
import { ROW_HEADER } from './entry-rows.js';

/** What is said of a log before its entries. */
export interface Heading {
  /** The snapshot after which the dump begins, if there is one. */
  readonly snapshot: LogSnapshot | undefined;
  /** The first entry, if it was asked for. */
  readonly startIndex: number | undefined;
  readonly outline: LogOutline;
  /** The first entry that is left out. */
  readonly endIndex: number;
  readonly hasDecoder: boolean;
}

/** The lines above the entries (reference: cli 11.1). */
export function logHeading({
  snapshot,
  startIndex,
  outline,
  endIndex,
  hasDecoder,
}: Heading): string {
  const { memberId, clusterId } = outline.identity;
  const { term, commit, vote } = outline.hardState;
  const { entries, lastIndex } = shownEntries(outline, endIndex);
  const lines =
    startIndex === undefined
      ? ['Snapshot:', snapshotText(snapshot), 'Start dumping log entries from snapshot.']
      : [`Start dumping log entries from index ${startIndex}.`];
  lines.push(
    'WAL metadata:',
    `nodeID=${hexId(memberId)} clusterID=${hexId(clusterId)} term=${term} commitIndex=${commit} vote=${hexId(vote)}`,
    `WAL entries: ${entries}`,
    ...(entries > 0 ? [`lastIndex=${lastIndex}`] : []),
    ROW_HEADER + (hasDecoder ? '\tdecoder_status\tdecoded_data' : ''),
    '',
  );
  return lines.join('\n');
}

/** The same as one JSON object; ids are hex, as in the text. */
export function logJson({ snapshot, startIndex, outline, endIndex }: Heading): string {
  const { memberId, clusterId } = outline.identity;
  const { term, commit, vote } = outline.hardState;
  const { entries, lastIndex } = shownEntries(outline, endIndex);
  const json = new JsonObject().requiredString('record', 'log');
  if (startIndex !== undefined) json.requiredNumber('start_index', startIndex);
  json.message('snapshot', snapshot, snapshotJson);
  json
    .requiredString('node_id', hexId(memberId))
    .requiredString('cluster_id', hexId(clusterId))
    .requiredNumber('term', term)
    .requiredNumber('commit_index', commit)
    .requiredString('vote', hexId(vote))
    .requiredNumber('entries', entries);
  if (entries > 0) json.requiredNumber('last_index', lastIndex);
  return json.boolean('torn', outline.torn !== undefined).toString();
}

/** The lines below the entries. */
export function footer(types: string, count: number): string {
  return `\nEntry types (${types}) count is : ${count}\n`;
}

export function endJson(types: string, count: number): string {
  return new JsonObject()
    .requiredString('record', 'end')
    .requiredString('entry_types', types)
    .requiredNumber('count', count)
    .toString();
}

function shownEntries(
  { start, lastIndex }: LogOutline,
  endIndex: number,
): { entries: number; lastIndex: number } {
  const last = Math.min(lastIndex, endIndex - 1);
  return { entries: Math.max(0, last - start.index), lastIndex: last };
}

function snapshotText(snapshot: LogSnapshot | undefined): string {
  if (snapshot === undefined) return 'empty';
  const { term, index, confState } = snapshot;
  const nodes = confState.voters.map(hexId).join(' ');
  return `term=${term} index=${index} nodes=[${nodes}] confstate=${confStateJson(confState)}`;
}

function snapshotJson({ term, index, confState }: LogSnapshot): string {
  return new JsonObject()
    .requiredNumber('term', term)
    .requiredNumber('index', index)
    .strings('nodes', confState.voters.map(hexId))
    .raw('conf_state', confStateJson(confState))
    .toString();
}

/** As Go's encoding/json writes the struct: `auto_leave` is always there. */
function confStateJson(state: LogSnapshot['confState']): string {
  const json = new JsonObject();
  const add = (name: string, ids: readonly bigint[]) =>
    json.raw(name, ids.length === 0 ? undefined : jsonArray(ids.map(String)));
  add('voters', state.voters);
  add('learners', state.learners);
  add('voters_outgoing', state.votersOutgoing);
  add('learners_next', state.learnersNext);
  return json.requiredBoolean('auto_leave', state.autoLeave).toString();
}
