import type { PutRequest } from '../../proto/gen/etcdserverpb/rpc.js';
import { argumentBytes } from '../args/argument-bytes.js';
import { parseGoInt } from '../args/flag-values.js';
import { boolFlag, type FlagValues, valueFlag } from '../args/flags.js';
import { CommandFailure, ExitCode } from '../exit.js';

export const PUT_USAGE = 'put [options] <key> <value> (<value> can also be given from stdin)';

export const PUT_FLAGS = {
  lease: valueFlag('string', '0', 'lease ID (in hexadecimal) to attach to the key'),
  'prev-kv': boolFlag('return the previous key-value pair before modification'),
  'ignore-value': boolFlag('updates the key using its current value'),
  'ignore-lease': boolFlag('updates the key using its current lease'),
};

const WRONG_COUNT = 'put command needs 1 argument and input from stdin or 2 arguments';

/**
 * The request of a `put` command line (reference: cli 4.1).
 * @param readInput all of stdin, asked for the value if the command line has none
 * @throws CommandFailure
 */
export async function putRequest(
  positionals: readonly string[],
  flags: FlagValues<typeof PUT_FLAGS>,
  readInput: () => Promise<Buffer>,
): Promise<PutRequest> {
  const [key, value] = positionals;
  if (key === undefined) throw new CommandFailure(ExitCode.BadArguments, WRONG_COUNT);
  const ignoreValue = flags['ignore-value'];
  if (ignoreValue && value !== undefined) {
    throw new CommandFailure(
      ExitCode.BadArguments,
      "put command needs only 1 argument when 'ignore-value' is set",
    );
  }
  const content = ignoreValue ? Buffer.alloc(0) : await valueOrInput(value, readInput);
  return {
    key: argumentBytes(key),
    value: content,
    lease: leaseOf(flags.lease),
    prevKv: flags['prev-kv'],
    ignoreValue,
    ignoreLease: flags['ignore-lease'],
  };
}

async function valueOrInput(
  value: string | undefined,
  readInput: () => Promise<Buffer>,
): Promise<Buffer> {
  if (value !== undefined) return argumentBytes(value);
  const input = await readInput();
  if (input.length === 0) throw new CommandFailure(ExitCode.BadArguments, WRONG_COUNT);
  return input;
}

function leaseOf(text: string): bigint {
  try {
    return parseGoInt(text, 16);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(ExitCode.BadArguments, `bad lease ID (${cause}), expecting ID in Hex`);
  }
}
