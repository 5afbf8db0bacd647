const SYSTEM_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'file exists',
  ENOSPC: 'no space left on device',
};

/** Go's text of a failed file operation: `open <path>: no such file or directory`. */
export function fileErrorText(operation: string, path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const cause = SYSTEM_TEXTS[code] ?? (error instanceof Error ? error.message : String(error));
  return `${operation} ${path}: ${cause}`;
}
