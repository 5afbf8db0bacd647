import type { LogFields, Logger, LogLevel } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import type { DeferredLog } from '../config/deferred-log.js';
import type { LogConfig } from '../config/server-config.js';
import { encodeConsole, encodeJson, type LogEncoder, terminalEncoder } from './encoders.js';
import { LogFile } from './log-file.js';
import { LogSampler } from './sampler.js';

/** Takes a line of text. Must not throw. */
export type TextOutput = (text: string) => void;

export interface LogEnvironment {
  readonly clock: Pick<Clock, 'wallMillis'>;
  readonly fs: Fs;
  readonly stderr: TextOutput;
  readonly stdout: TextOutput;
  readonly stderrIsTerminal: boolean;
  /** Whether lines for people have colours. */
  readonly hasColours: boolean;
}

/** A logger with its outputs. */
export interface ServerLog {
  readonly logger: Logger;
  /** Waits until every line is written, and closes the files. */
  close(): Promise<void>;
}

/** `caller` of loggers that were not given one; the key is never empty. */
const DEFAULT_CALLER = 'server/server.ts';

const SEVERITY: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  dpanic: 4,
  panic: 5,
  fatal: 6,
};

/**
 * Opens the outputs of the configuration.
 * @throws Error if a log file cannot be opened
 */
export async function openServerLog(
  config: LogConfig,
  environment: LogEnvironment,
): Promise<ServerLog> {
  const files: LogFile[] = [];
  const outputs: { readonly encode: LogEncoder; readonly write: TextOutput }[] = [];
  const encode = config.format === 'console' ? encodeConsole : encodeJson;
  for (const output of config.outputs) {
    if (output === 'default' || output === 'stderr') {
      const forPeople = environment.stderrIsTerminal && !config.formatIsSet;
      outputs.push({
        encode: forPeople ? terminalEncoder(environment.hasColours) : encode,
        write: environment.stderr,
      });
    } else if (output === 'stdout') {
      outputs.push({ encode, write: environment.stdout });
    } else {
      const file = await LogFile.open({
        fs: environment.fs,
        clock: environment.clock,
        path: output,
        rotation: config.rotation,
        logger: earlyLogger(environment.clock, environment.stderr),
      });
      files.push(file);
      outputs.push({ encode, write: (text) => file.write(text) });
    }
  }
  const sink = new LogSink(config.level, environment.clock, (entry) => {
    for (const { encode: encodeEntry, write } of outputs) write(encodeEntry(entry));
  });
  return {
    logger: new SinkLogger(sink, '', DEFAULT_CALLER),
    close: async () => {
      await Promise.all(files.map((file) => file.close()));
    },
  };
}

/** For lines from before the configuration is known: JSON, from info upwards. */
export function earlyLogger(clock: Pick<Clock, 'wallMillis'>, write: TextOutput): Logger {
  const sink = new LogSink('info', clock, (entry) => write(encodeJson(entry)));
  return new SinkLogger(sink, '', DEFAULT_CALLER);
}

/** Writes lines that had to wait for their logger. */
export function replayLogs(logger: Logger, logs: readonly DeferredLog[]): void {
  for (const { level, message, fields } of logs) {
    if (level === 'dpanic' || level === 'panic') logger.error(message, fields);
    else logger[level](message, fields);
  }
}

type EntryOutput = (entry: Parameters<LogEncoder>[0]) => void;

/** Decides what is written, for all the loggers that share it. */
class LogSink {
  readonly #severity: number;
  readonly #clock: Pick<Clock, 'wallMillis'>;
  readonly #output: EntryOutput;
  readonly #sampler = new LogSampler();

  constructor(level: LogLevel, clock: Pick<Clock, 'wallMillis'>, output: EntryOutput) {
    this.#severity = SEVERITY[level];
    this.#clock = clock;
    this.#output = output;
  }

  write(
    level: LogLevel,
    loggerName: string,
    caller: string,
    message: string,
    fields: LogFields | undefined,
  ): void {
    const severity = SEVERITY[level];
    if (severity < this.#severity) return;
    const timeMillis = this.#clock.wallMillis();
    if (level !== 'fatal' && !this.#sampler.admit(level, message, timeMillis)) return;
    const stack = severity >= SEVERITY.error ? callStack() : undefined;
    this.#output({ level, timeMillis, loggerName, caller, message, fields, stack });
  }
}

/** Frames of the code that logs, without the logger's own. */
function callStack(): string {
  const frames = new Error('log').stack?.split('\n').slice(1) ?? [];
  const own = frames.findLastIndex((frame) => frame.includes('SinkLogger'));
  return frames
    .slice(own + 1)
    .map((frame) => frame.trim())
    .join('\n');
}

class SinkLogger implements Logger {
  readonly #sink: LogSink;
  readonly #name: string;
  readonly #caller: string;

  constructor(sink: LogSink, name: string, caller: string) {
    this.#sink = sink;
    this.#name = name;
    this.#caller = caller;
  }

  debug(message: string, fields?: LogFields): void {
    this.#sink.write('debug', this.#name, this.#caller, message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#sink.write('info', this.#name, this.#caller, message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#sink.write('warn', this.#name, this.#caller, message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#sink.write('error', this.#name, this.#caller, message, fields);
  }

  fatal(message: string, fields?: LogFields): void {
    this.#sink.write('fatal', this.#name, this.#caller, message, fields);
  }

  named(name: string): Logger {
    const full = this.#name === '' ? name : `${this.#name}.${name}`;
    return new SinkLogger(this.#sink, full, this.#caller);
  }

  at(caller: string): Logger {
    return new SinkLogger(this.#sink, this.#name, caller);
  }
}
