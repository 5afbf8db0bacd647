import { constants } from 'node:os';

/** True if `error` is a system error with one of `codes` (`ENOENT`, ...). */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** True if the operating system refused something. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBADF: 'bad file descriptor',
  EEXIST: 'file already exists',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  EINVAL: 'invalid argument',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
};

/** A system error of the shape that Node makes, for disks that are not real. */
export function errnoError(code: string, syscall: string, path: string): NodeJS.ErrnoException {
  const text = TEXTS[code] ?? 'unknown error';
  const error: NodeJS.ErrnoException = new Error(`${code}: ${text}, ${syscall} '${path}'`);
  error.code = code;
  error.syscall = syscall;
  error.path = path;
  const number = constants.errno[code as keyof typeof constants.errno];
  if (number !== undefined) error.errno = -number;
  return error;
}
