import type { RequestOp } from '../../proto/gen/etcdserverpb/rpc.js';
import { ParseError, parseArguments } from '../args/flag-set.js';
import type { Flags } from '../args/flags.js';
import { splitWords } from '../args/tokens.js';
import { CommandFailure, ExitCode } from '../exit.js';
import { DEL_FLAGS, DEL_USAGE, deleteRequest } from '../kv/del.js';
import { GET_FLAGS, GET_USAGE, rangeRequest } from '../kv/get.js';
import { PUT_FLAGS, PUT_USAGE, putRequest } from '../kv/put.js';

/** The usage text of one of the commands that a txn knows. */
export type UsagePrinter = (usage: string, flags: Flags) => void;

interface LineCommand {
  readonly usage: string;
  readonly flags: Flags;
  parse(words: readonly string[], readInput: () => Promise<Buffer>): Promise<RequestOp>;
}

const COMMANDS: Readonly<Record<string, LineCommand>> = {
  put: {
    usage: PUT_USAGE,
    flags: PUT_FLAGS,
    async parse(words, readInput) {
      const { flags, positionals } = parseArguments(PUT_FLAGS, words);
      const value = await putRequest(positionals, flags, readInput);
      return { request: { $case: 'requestPut', value } };
    },
  },
  get: {
    usage: GET_USAGE,
    flags: GET_FLAGS,
    async parse(words) {
      const { flags, positionals } = parseArguments(GET_FLAGS, words);
      return { request: { $case: 'requestRange', value: rangeRequest(positionals, flags) } };
    },
  },
  del: {
    usage: DEL_USAGE,
    flags: DEL_FLAGS,
    async parse(words) {
      const { flags, positionals } = parseArguments(DEL_FLAGS, words);
      return { request: { $case: 'requestDeleteRange', value: deleteRequest(positionals, flags) } };
    },
  },
};

/**
 * One request line of a txn: a `put`, `get` or `del` command with its flags (reference: cli 4.4).
 * @param readInput what the input has left, for a put without a value
 * @param printUsage called before a flag error is thrown
 * @throws CommandFailure
 */
export async function parseRequest(
  line: string,
  readInput: () => Promise<Buffer>,
  printUsage: UsagePrinter,
): Promise<RequestOp> {
  const words = splitWords(line);
  if (words.length < 2) throw invalid(`invalid txn compare request: ${line}`);
  const at = words.findIndex((word) => !word.startsWith('-'));
  const command = at < 0 ? undefined : findCommand(words[at] ?? '');
  if (command === undefined) throw invalid(`invalid txn request: ${line}`);
  try {
    return await command.parse(words.toSpliced(at, 1), readInput);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    printUsage(command.usage, command.flags);
    throw invalid(`invalid txn request: ${line}`);
  }
}

/** Every command name begins with a letter of its own, so one letter is an unambiguous prefix. */
function findCommand(word: string): LineCommand | undefined {
  const name = Object.keys(COMMANDS).find((candidate) => candidate.startsWith(word));
  return name === undefined || word === '' ? undefined : COMMANDS[name];
}

function invalid(message: string): CommandFailure {
  return new CommandFailure(ExitCode.InvalidInput, message);
}
