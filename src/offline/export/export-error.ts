/** A data directory that can't be exported, or not yet. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
}
