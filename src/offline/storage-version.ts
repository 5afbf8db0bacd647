import { type Database, findBucket } from './database.js';

/** A stored version that no etcd up to 3.7 knows. `message` is etcd's. */
export class UnknownStorageVersionError extends Error {
  override readonly name = 'UnknownStorageVersionError';
  /** As it is stored. */
  readonly stored: string;

  constructor(stored: string) {
    super(`version "${stored}" is not supported`);
    this.stored = stored;
  }
}

/** The first that can be told from a file. */
export const OLDEST_STORAGE_VERSION = '3.5';
export const STORAGE_VERSION_KEY = Buffer.from('storageVersion');
const TERM_KEY = Buffer.from('term');

/**
 * Version of the schema of a database, as `3.6`; undefined for data of etcd 3.4, and of later ones
 * before their first commit (reference: formats 4.5).
 * @throws UnknownStorageVersionError
 */
export async function storageVersionOf(database: Database): Promise<string | undefined> {
  const meta = await findBucket(database, 'meta');
  const stored = await meta?.get(STORAGE_VERSION_KEY);
  if (stored === undefined) {
    const term = await meta?.get(TERM_KEY);
    const hasTerm = term?.some((byte) => byte !== 0) === true;
    return hasTerm ? OLDEST_STORAGE_VERSION : undefined;
  }
  const text = stored.toString('latin1');
  const version = /^(\d+\.\d+)\.\d+$/.exec(text)?.[1];
  if (version === undefined || !isKnownStorageVersion(version)) {
    throw new UnknownStorageVersionError(text);
  }
  return version;
}

/** Versions between which a file can be migrated. */
export function isKnownStorageVersion(version: string): boolean {
  return ['3.5', '3.6', '3.7'].includes(version);
}
