import { Chalk } from 'chalk';
import type { LogFields, LogLevel } from '../../base/logger.js';

/** One log line before it is text. */
export interface LogEntry {
  readonly level: LogLevel;
  /** Milliseconds since the Unix epoch. */
  readonly timeMillis: number;
  /** Empty for the root logger. */
  readonly loggerName: string;
  readonly caller: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
  /** Only at error and above. */
  readonly stack: string | undefined;
}

/** Turns an entry into text that ends in a newline. */
export type LogEncoder = (entry: LogEntry) => string;

/** One JSON object a line with etcd's keys in etcd's order (reference: server 3.1). */
export const encodeJson: LogEncoder = (entry) => {
  const { level, loggerName, stack } = entry;
  let line = `{"level":"${level}","ts":"${timestamp(entry.timeMillis)}"`;
  if (loggerName !== '') line += `,"logger":${JSON.stringify(loggerName)}`;
  line += `,"caller":${JSON.stringify(entry.caller)},"msg":${JSON.stringify(entry.message)}`;
  if (entry.fields !== undefined) {
    for (const [key, value] of Object.entries(entry.fields)) {
      line += `,${JSON.stringify(key)}:${jsonText(value, COMPACT)}`;
    }
  }
  if (stack !== undefined) line += `,"stacktrace":${JSON.stringify(stack)}`;
  return `${line}}\n`;
};

/** Columns parted by tabs, the fields as one JSON object, a stack trace on lines of its own. */
export const encodeConsole: LogEncoder = (entry) => {
  const columns = [timestamp(entry.timeMillis), entry.level];
  if (entry.loggerName !== '') columns.push(entry.loggerName);
  columns.push(entry.caller, entry.message);
  if (entry.fields !== undefined && Object.keys(entry.fields).length > 0) {
    columns.push(jsonText(entry.fields, SPACED));
  }
  const line = columns.join('\t');
  return entry.stack === undefined ? `${line}\n` : `${line}\n${entry.stack}\n`;
};

/**
 * For people at a terminal: time of day, level, message, `key=value`.
 * @param hasColours what matters less is dim then, and the level has the colour of its severity
 */
export function terminalEncoder(hasColours: boolean): LogEncoder {
  const chalk = new Chalk({ level: hasColours ? 1 : 0 });
  const { dim } = chalk;
  const levels: Readonly<Record<LogLevel, (text: string) => string>> = {
    debug: chalk.gray,
    info: chalk.green,
    warn: chalk.yellow,
    error: chalk.red,
    dpanic: chalk.magenta,
    panic: chalk.magenta,
    fatal: chalk.bold.red,
  };
  return (entry) => {
    const time = dim(localTime(entry.timeMillis).slice(11, 23));
    const level = levels[entry.level](entry.level.toUpperCase().padEnd(5));
    const name = entry.loggerName === '' ? '' : `${dim(`${entry.loggerName}:`)} `;
    const fields = Object.entries(entry.fields ?? {}).map(([key, value]) => {
      const text = plainText(value) ?? jsonText(value, COMPACT);
      return ` ${dim(`${key}=`)}${/[\s"]/.test(text) ? JSON.stringify(text) : text}`;
    });
    const line = `${time} ${level} ${name}${entry.message}${fields.join('')}`;
    return entry.stack === undefined ? `${line}\n` : `${line}\n${dim(entry.stack)}\n`;
  };
}

/** `2006-01-02T15:04:05.000000Z0700`: local time, six digits, no colon in the zone. */
export function timestamp(timeMillis: number): string {
  const offsetMinutes = -new Date(timeMillis).getTimezoneOffset();
  const micros = Math.floor((timeMillis % 1) * 1000);
  const digits = String(micros).padStart(3, '0');
  return localTime(timeMillis) + digits + zone(offsetMinutes);
}

/** `2006-01-02T15:04:05.000` in local time. */
function localTime(timeMillis: number): string {
  const offsetMinutes = -new Date(timeMillis).getTimezoneOffset();
  return new Date(timeMillis + offsetMinutes * 60_000).toISOString().slice(0, 23);
}

function zone(offsetMinutes: number): string {
  if (offsetMinutes === 0) return 'Z';
  const minutes = Math.abs(offsetMinutes);
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0');
  return `${offsetMinutes < 0 ? '-' : '+'}${hours}${String(minutes % 60).padStart(2, '0')}`;
}

/** How deep objects are printed; what lies below shows as text. */
const MAX_DEPTH = 8;

interface JsonStyle {
  readonly comma: string;
  readonly colon: string;
}

const COMPACT: JsonStyle = { comma: ',', colon: ':' };
const SPACED: JsonStyle = { comma: ', ', colon: ': ' };

/** A value as JSON. Never throws, whatever it is given. */
function jsonText(value: unknown, style: JsonStyle, depth = 0): string {
  const plain = plainText(value);
  if (plain !== undefined) return JSON.stringify(plain);
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'number') {
    return Number.isFinite(value) ? String(value) : JSON.stringify(nonFinite(value));
  }
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return JSON.stringify(String(value));
  if (Array.isArray(value)) {
    return `[${value.map((item) => jsonText(item, style, depth + 1)).join(style.comma)}]`;
  }
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const parts = entries.map(
    ([key, item]) => JSON.stringify(String(key)) + style.colon + jsonText(item, style, depth + 1),
  );
  return `{${parts.join(style.comma)}}`;
}

function nonFinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

/** What prints as a text; undefined for other values. */
function plainText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.message;
  if (value instanceof Date) return timestamp(value.getTime());
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return undefined;
}
