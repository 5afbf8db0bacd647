import { decodeEntryContent, type EntryFilter } from '../../offline/logs/decode-entry.js';
import type { EntryFields } from '../../proto/hot/entry.js';
import { argumentBytes } from '../args/argument-bytes.js';
import { CommandFailure, ExitCode } from '../exit.js';
import type { Terminal } from '../terminal.js';
import { entryJson, entryRow } from './entry-rows.js';
import { LineBatch } from './line-batch.js';
import { StreamDecoder } from './stream-decoder.js';

export interface EntryDumpOptions {
  readonly terminal: Terminal;
  readonly write: (content: string | Uint8Array) => Promise<void>;
  readonly asJson: boolean;
  readonly passes: EntryFilter;
  /** The first entry that is left out. */
  readonly endIndex: number;
  /** Command line of a decoder; empty: none. */
  readonly decoder: string;
}

/** Prints the entries of a log that pass a filter, with what a decoder says of them. */
export class EntryDump {
  readonly #options: EntryDumpOptions;
  readonly #lines: LineBatch;
  readonly #decoder: StreamDecoder | undefined;
  #count = 0;

  constructor(options: EntryDumpOptions) {
    const { decoder, terminal, write } = options;
    this.#options = options;
    this.#lines = new LineBatch((text) => write(decoder === '' ? text : argumentBytes(text)));
    this.#decoder = decoder === '' ? undefined : new StreamDecoder(decoder, terminal);
  }

  /** Entries that were printed. */
  get count(): number {
    return this.#count;
  }

  /** Prints one. The next must wait for the promise. @throws CommandFailure if a decoder ended */
  take(entry: EntryFields): Promise<void> | undefined {
    const { asJson, passes, endIndex } = this.#options;
    if (entry.index >= endIndex) return undefined;
    const content = decodeEntryContent(entry);
    if (!passes(content)) return undefined;
    this.#count += 1;
    if (this.#decoder !== undefined) return this.#takeDecoded(entry, this.#decoder);
    return this.#lines.add(
      asJson ? entryJson(entry, content).toString() : entryRow(entry, content),
    );
  }

  /** Writes what waits, and ends the decoder. @throws CommandFailure if it did not end well */
  async end(): Promise<void> {
    await this.#lines.flush();
    await this.#decoder?.end(this.#options.terminal);
  }

  /** Writes what waits; for a dump that failed too. */
  async close(): Promise<void> {
    this.#decoder?.kill();
    await this.#lines.flush();
  }

  async #takeDecoded(entry: EntryFields, decoder: StreamDecoder): Promise<void> {
    const { asJson } = this.#options;
    const content = decodeEntryContent(entry);
    const answer = await decoder.decode(entry.data);
    if (answer === undefined) {
      // As in etcd-dump-logs, where the row has been printed when the answer does not come.
      if (!asJson) await this.#lines.add(`${entryRow(entry, content)}EOF`);
      await this.end();
      const text = 'the stream decoder ended before the last entry';
      throw new CommandFailure(ExitCode.Error, text);
    }
    const { status, data } = answer;
    if (!asJson) {
      await this.#lines.add(`${entryRow(entry, content)}\t${status}\t${data}`);
      return;
    }
    const json = entryJson(entry, content)
      .requiredString('decoder_status', status)
      .requiredString('decoded_data', data);
    await this.#lines.add(json.toString());
  }
}
