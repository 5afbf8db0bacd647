import type { Compare, RequestOp, TxnRequest } from '../../proto/gen/etcdserverpb/rpc.js';
import { CommandFailure, ExitCode } from '../exit.js';
import { commandUsage } from '../help.js';
import type { LineReader } from '../line-reader.js';
import type { Terminal } from '../terminal.js';
import { parseCompare } from './compare.js';
import { parseRequest } from './request.js';

/**
 * Reads a txn: conditions, requests if they hold, requests if not; a blank line ends each section
 * (reference: cli 4.4).
 *
 * Trap: the last blank line is mandatory; an earlier end of the input fails with `EOF` and nothing
 * is sent.
 * @param interactive prompt for each section
 * @throws CommandFailure
 */
export async function readTxn(
  reader: LineReader,
  terminal: Terminal,
  interactive: boolean,
): Promise<TxnRequest> {
  const prompt = (text: string) => {
    if (interactive) terminal.out(`${text}\n`);
  };
  const readInput = () => reader.readRest();
  const request = (line: string): Promise<RequestOp> =>
    parseRequest(line, readInput, (usage, flags) =>
      terminal.error(`${commandUsage(usage, flags)}\n`),
    );
  prompt('compares:');
  const compare = await readSection<Compare>(reader, async (line) => parseCompare(line));
  prompt('success requests (get, put, del):');
  const success = await readSection(reader, request);
  prompt('failure requests (get, put, del):');
  const failure = await readSection(reader, request);
  return { compare, success, failure };
}

async function readSection<Item>(
  reader: LineReader,
  parse: (line: string) => Promise<Item>,
): Promise<Item[]> {
  const items: Item[] = [];
  for (;;) {
    const raw = await reader.readLine();
    if (raw === undefined) throw new CommandFailure(ExitCode.InvalidInput, 'EOF');
    const line = raw.trim();
    if (line === '') return items;
    items.push(await parse(line));
  }
}
