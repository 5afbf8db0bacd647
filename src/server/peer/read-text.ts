import type { IncomingMessage } from 'node:http';

/** Longest answer of a peer that is looked at, bytes. */
const MAX_TEXT_BYTES = 64 * 1024;

/**
 * Reads a short body as text; what is beyond the limit is cut off.
 * @throws Error if the body ends too early
 */
export function readText(message: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (): void => resolve(Buffer.concat(chunks).toString('utf8', 0, MAX_TEXT_BYTES));
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes < MAX_TEXT_BYTES) return;
      message.destroy();
      finish();
    });
    message.on('end', finish);
    message.on('error', reject);
  });
}
