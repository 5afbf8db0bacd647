/** The thread of the audit log: makes lines of records and writes them to the file. */
import { parentPort, workerData } from 'node:worker_threads';
import { type LogFields, type Logger, silentLogger } from '../../base/logger.js';
import { nodeClock } from '../../platform/node-clock.js';
import { nodeFs } from '../../platform/node-fs.js';
import { openAuditFile } from './audit-file.js';
import { LineWriter } from './line-writer.js';
import type {
  AuditThreadMessage,
  AuditThreadQuestion,
  AuditThreadSettings,
} from './thread-messages.js';

const tell = (message: AuditThreadMessage): void => parentPort?.postMessage(message);

/** Errors go to the server's log; the rest of this thread has nothing to tell. */
const logger: Logger = {
  ...silentLogger,
  error(message: string, fields: LogFields = {}) {
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)]);
    tell({ kind: 'log', message, fields: Object.fromEntries(texts) });
  },
};

async function run({ path, rotation }: AuditThreadSettings): Promise<void> {
  const output = await openAuditFile({ path, rotation, fs: nodeFs, clock: nodeClock, logger });
  const writer = new LineWriter(output);
  const answer = async (question: AuditThreadQuestion): Promise<void> => {
    if (question.kind === 'write') {
      const progress = await writer.write(question.chunks, question.from);
      tell({ kind: 'written', progress });
    } else {
      await writer.close();
      tell({ kind: 'closed' });
    }
  };
  parentPort?.on('message', (question: AuditThreadQuestion) => {
    answer(question).catch(fail);
  });
  tell({ kind: 'opened' });
}

function fail(error: unknown): void {
  tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
}

run(workerData as AuditThreadSettings).catch(fail);
