import { quoteGo } from '../../base/go-format.js';
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { argumentBytes } from '../args/argument-bytes.js';
import { clampToSafe, parseGoInt } from '../args/flag-values.js';
import { unquoteGo } from '../args/go-unquote.js';
import { CommandFailure, ExitCode } from '../exit.js';

const RESULTS: Readonly<Record<string, CompareResult>> = {
  '=': CompareResult.EQUAL,
  '!=': CompareResult.NOT_EQUAL,
  '<': CompareResult.LESS,
  '>': CompareResult.GREATER,
};

type Subject = Pick<Compare, 'target' | 'targetUnion'>;

/** What is compared, by the words of the grammar. */
const SUBJECTS: Readonly<Record<string, (value: string) => Subject>> = {
  ver: version,
  version,
  c: createRevision,
  create: createRevision,
  m: modRevision,
  mod: modRevision,
  val: content,
  value: content,
  lease: (value) => ({
    target: CompareTarget.LEASE,
    targetUnion: { $case: 'lease', value: parseGoInt(value, 10) },
  }),
};

/**
 * One condition of a txn: `<target>("<key>") <op> "<value>"` (reference: cli 4.4). etcdctl panics on
 * an unknown operator and on every `lease` condition; here the first is an error and the second works.
 * @throws CommandFailure
 */
export function parseCompare(line: string): Compare {
  const open = line.indexOf('(');
  if (open < 0) throw invalid(`malformed comparison: ${line}`);
  const target = line.slice(0, open);
  const { key, operator, value } = scanOperands(line, target, line.slice(open + 1));
  const subject = Object.hasOwn(SUBJECTS, target) ? SUBJECTS[target] : undefined;
  if (subject === undefined) {
    throw invalid(`malformed comparison: ${line} (unknown target ${target})`);
  }
  const result = Object.hasOwn(RESULTS, operator) ? RESULTS[operator] : undefined;
  if (result === undefined) {
    throw invalid(`malformed comparison: ${line} (unknown operator ${operator})`);
  }
  return {
    ...parsedSubject(subject, value, line),
    result,
    key: argumentBytes(key),
    rangeEnd: Buffer.alloc(0),
  };
}

function parsedSubject(subject: (value: string) => Subject, value: string, line: string): Subject {
  try {
    return subject(value);
  } catch {
    throw invalid(`invalid txn compare request: ${line}`);
  }
}

function version(value: string): Subject {
  return {
    target: CompareTarget.VERSION,
    targetUnion: { $case: 'version', value: clampToSafe(parseGoInt(value, 10)) },
  };
}

function createRevision(value: string): Subject {
  return {
    target: CompareTarget.CREATE,
    targetUnion: { $case: 'createRevision', value: clampToSafe(parseGoInt(value, 10)) },
  };
}

function modRevision(value: string): Subject {
  return {
    target: CompareTarget.MOD,
    targetUnion: { $case: 'modRevision', value: clampToSafe(parseGoInt(value, 10)) },
  };
}

function content(value: string): Subject {
  return {
    target: CompareTarget.VALUE,
    targetUnion: { $case: 'value', value: argumentBytes(value) },
  };
}

interface Operands {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
}

const QUOTED = '(?:"((?:[^"\\\\]|\\\\.)*)"|`([^`]*)`)';
const KEY = new RegExp(`^[ \\t]*${QUOTED}\\)`);
const OPERATOR = /^[ \t]+(\S+)/;
const VALUE = new RegExp(`^[ \\t]+${QUOTED}`);

/** Reads key, operator and value one after another; an error tells how far it came. */
function scanOperands(line: string, target: string, text: string): Operands {
  let rest = text;
  const read = (pattern: RegExp): string | undefined => {
    const match = pattern.exec(rest);
    if (match === null) return undefined;
    rest = rest.slice(match[0].length);
    const [, first, raw] = match;
    if (pattern === OPERATOR) return first;
    return raw ?? unquoteGo(first ?? '');
  };
  const key = read(KEY);
  const operator = key === undefined ? undefined : read(OPERATOR);
  const value = operator === undefined ? undefined : read(VALUE);
  if (key !== undefined && operator !== undefined && value !== undefined) {
    return { key, operator, value };
  }
  const quotedKey = quoteGo(argumentBytes(key ?? ''));
  throw invalid(
    `malformed comparison: ${line}; got ${target}(${quotedKey}) ${operator ?? ''} ${quoteGo('')}`,
  );
}

function invalid(message: string): CommandFailure {
  return new CommandFailure(ExitCode.InvalidInput, message);
}
