import type { LogFields, Logger, LogLevel } from '../base/logger.js';
import type { Terminal } from './terminal.js';

const SEVERITY: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  dpanic: 4,
  panic: 5,
  fatal: 6,
};

/** Whether a text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return Object.hasOwn(SEVERITY, text);
}

/** One line of a tool's log before it is text. */
interface LogLine {
  readonly level: LogLevel;
  readonly time: Date;
  readonly name: string | undefined;
  readonly caller: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Turns a line into text, without the newline. */
export type LogLineEncoder = (line: LogLine) => string;

/** A tool's own log on stderr: zap-like JSON lines as of etcdctl, or columns (reference: cli 1.4). */
export class ToolLogger implements Logger {
  readonly #terminal: Terminal;
  readonly #least: LogLevel;
  readonly #name: string | undefined;
  readonly #caller: string;
  readonly #encode: LogLineEncoder;

  constructor(
    terminal: Terminal,
    least: LogLevel = 'info',
    name: string | undefined = undefined,
    caller = 'cli/main.ts',
    encode: LogLineEncoder = jsonLine,
  ) {
    this.#terminal = terminal;
    this.#least = least;
    this.#name = name;
    this.#caller = caller;
    this.#encode = encode;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields);
  }

  fatal(message: string, fields?: LogFields): void {
    this.#write('fatal', message, fields);
  }

  named(name: string): Logger {
    return new ToolLogger(this.#terminal, this.#least, name, this.#caller, this.#encode);
  }

  at(caller: string): Logger {
    return new ToolLogger(this.#terminal, this.#least, this.#name, caller, this.#encode);
  }

  #write(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (SEVERITY[level] < SEVERITY[this.#least]) return;
    const line = { level, time: new Date(), name: this.#name, caller: this.#caller };
    this.#terminal.error(`${this.#encode({ ...line, message, fields })}\n`);
  }
}

function jsonLine({ level, time, name, caller, message, fields }: LogLine): string {
  const line = {
    level,
    ts: zapTime(time),
    ...(name === undefined ? {} : { logger: name }),
    caller,
    msg: message,
    ...fields,
  };
  return JSON.stringify(line, bigintDigits);
}

/** etcdutl's lines: columns parted by tabs, the fields as JSON with spaces, if there are any. */
export const consoleLine: LogLineEncoder = ({ level, time, name, caller, message, fields }) => {
  const columns = [rfc3339(time), level, ...(name === undefined ? [] : [name]), caller, message];
  if (Object.keys(fields).length > 0) columns.push(spacedJson(fields));
  return columns.join('\t');
};

function spacedJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  const parts = Object.entries(value).map(([key, item]) => {
    return `${JSON.stringify(key)}: ${spacedJson(item)}`;
  });
  return `{${parts.join(', ')}}`;
}

/** Ids in log lines are texts already; a stray bigint must not end the program. */
function bigintDigits(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Go's layout `2006-01-02T15:04:05.000000Z0700` in local time. */
function zapTime(date: Date): string {
  return `${localTime(date)}000${zone(date, '')}`;
}

/** Go's layout `2006-01-02T15:04:05Z07:00` in local time. */
function rfc3339(date: Date): string {
  return `${localTime(date).slice(0, 19)}${zone(date, ':')}`;
}

/** `2006-01-02T15:04:05.000`, in local time. */
export function localTime(date: Date): string {
  const offset = -date.getTimezoneOffset();
  return new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
}

function zone(date: Date, colon: string): string {
  const offset = -date.getTimezoneOffset();
  if (offset === 0) return 'Z';
  const minutes = Math.abs(offset);
  const pad = (value: number) => String(value).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}${colon}${pad(minutes % 60)}`;
}
