import { Worker } from 'node:worker_threads';
import type { Logger } from '../../base/logger.js';
import type { AuditProgress, AuditSink } from './audit-queue.js';
import type {
  AuditThreadMessage,
  AuditThreadQuestion,
  AuditThreadSettings,
} from './thread-messages.js';

export interface AuditThreadOptions {
  /** The program of the thread. */
  readonly program: URL;
  readonly settings: AuditThreadSettings;
  readonly logger: Logger;
}

/** Somebody who waits for an answer of the thread. */
interface Asker {
  readonly answered: (message: AuditThreadMessage) => void;
  readonly failed: (error: Error) => void;
}

/**
 * Makes lines of records and writes them, on a thread of its own. Should that thread end, the next
 * write starts another one; lines that were just being written may then be there twice.
 */
export class AuditThread implements AuditSink {
  readonly #options: AuditThreadOptions;
  #worker: Worker | undefined;
  #asker: Asker | undefined;

  private constructor(options: AuditThreadOptions) {
    this.#options = options;
  }

  /** @throws Error if the file cannot be opened */
  static async open(options: AuditThreadOptions): Promise<AuditThread> {
    const thread = new AuditThread(options);
    await thread.#start();
    return thread;
  }

  async write(chunks: readonly Uint8Array[], from: number): Promise<AuditProgress> {
    try {
      const worker = this.#worker ?? (await this.#start());
      const answer = await this.#ask(worker, { kind: 'write', chunks, from });
      if (answer.kind !== 'written') throw new Error(`unexpected answer: ${answer.kind}`);
      return answer.progress;
    } catch (error) {
      return { records: from, failure: String(error) };
    }
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    try {
      await this.#ask(worker, { kind: 'close' });
    } finally {
      this.#worker = undefined;
      await worker.terminate();
    }
  }

  async #start(): Promise<Worker> {
    const { program, settings } = this.#options;
    const worker = new Worker(program, { workerData: settings, name: 'audit-log' });
    worker.on('message', (message: AuditThreadMessage) => this.#receive(message));
    worker.on('error', (error) => this.#lost(worker, error));
    worker.on('exit', () => this.#lost(worker, new Error('the thread of the audit log ended')));
    this.#worker = worker;
    try {
      await this.#ask(worker, undefined);
    } catch (error) {
      this.#worker = undefined;
      await worker.terminate();
      throw error;
    }
    return worker;
  }

  /** @param question undefined: the answer to the start is awaited */
  #ask(worker: Worker, question: AuditThreadQuestion | undefined): Promise<AuditThreadMessage> {
    return new Promise((answered, failed) => {
      this.#asker = { answered, failed };
      if (question !== undefined) worker.postMessage(question);
    });
  }

  #receive(message: AuditThreadMessage): void {
    if (message.kind === 'log') {
      this.#options.logger.error(message.message, message.fields);
      return;
    }
    const asker = this.#asker;
    this.#asker = undefined;
    if (message.kind === 'failed') asker?.failed(new Error(message.reason));
    else asker?.answered(message);
  }

  #lost(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#asker?.failed(error);
    this.#asker = undefined;
  }
}
