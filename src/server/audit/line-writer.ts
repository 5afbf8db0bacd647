import type { AuditProgress, AuditSink } from './audit-queue.js';
import { LineFormatter } from './line-formatter.js';
import { ChunkReader } from './record-chunk.js';

const NEW_LINE = 0x0a;

/** Where lines go, one {@link append} at a time. */
export interface AuditOutput {
  /**
   * Writes text that consists of whole lines: all of it, or at least the first line.
   * @returns bytes that are written, up to the end of a line
   */
  append(text: Buffer): Promise<number>;
  close(): Promise<void>;
}

/** Makes lines of records and writes them, on the thread that it is called on. */
export class LineWriter implements AuditSink {
  readonly #formatter = new LineFormatter();
  readonly #output: AuditOutput;

  constructor(output: AuditOutput) {
    this.#output = output;
  }

  async write(chunks: readonly Uint8Array[], from: number): Promise<AuditProgress> {
    let records = from;
    let end = 0;
    for (const chunk of chunks) {
      const reader = new ChunkReader(chunk);
      const start = end;
      end += reader.records;
      if (records >= end) continue;
      let text = this.#formatter.format(reader, records - start);
      while (text.length > 0) {
        let written: number;
        try {
          written = await this.#output.append(text);
        } catch (error) {
          return { records, failure: String(error) };
        }
        records = written === text.length ? end : records + countLines(text, written);
        text = text.subarray(written);
      }
    }
    return { records };
  }

  close(): Promise<void> {
    return this.#output.close();
  }
}

function countLines(text: Buffer, end: number): number {
  let lines = 0;
  for (let at = 0; at < end; at++) if (text[at] === NEW_LINE) lines += 1;
  return lines;
}
