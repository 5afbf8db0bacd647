import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where the real etcd and etcdctl are; since 3.5 there must be an etcdutl beside them. */
const DIRECTORY = process.env.ETCDKIT_ETCD_BIN_DIR ?? '/usr/bin';

export const REAL_ETCD: string = join(DIRECTORY, 'etcd');
export const REAL_ETCDCTL: string = join(DIRECTORY, 'etcdctl');

/** Variables of an etcdctl of API 3. */
export const REAL_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? '',
  ETCDCTL_API: '3',
};

function versionOf(program: string, argument: string): string {
  try {
    const text = execFileSync(program, [argument], { stdio: 'pipe', env: REAL_ENVIRONMENT });
    return /version:? v?(\d+\.\d+\.\d+)/i.exec(text.toString())?.[1] ?? '';
  } catch {
    return '';
  }
}

/** Version of the real etcd, `3.4.23` or the like; empty if there is none. */
export const realVersion: string = versionOf(REAL_ETCD, '--version');

const hasEtcdctl = versionOf(REAL_ETCDCTL, 'version') !== '';

/**
 * True if a real etcd and etcdctl are installed. Tests against them are skipped otherwise, save
 * where they must run: in CI, or with ETCDKIT_REQUIRE_ETCD or ETCDKIT_ETCD_BIN_DIR set.
 */
export const hasRealEtcd: boolean = realVersion !== '' && hasEtcdctl;

const { CI, ETCDKIT_REQUIRE_ETCD, ETCDKIT_ETCD_BIN_DIR } = process.env;
if (!hasRealEtcd && (CI || ETCDKIT_REQUIRE_ETCD || ETCDKIT_ETCD_BIN_DIR)) {
  throw new Error(`${REAL_ETCD} and ${REAL_ETCDCTL} are required here`);
}

/** Minor version of the real etcd: 4 for 3.4.23. */
export const realMinor: number = Number(realVersion.split('.')[1] ?? 0);

/** True if the real etcd is of 3.`minor` or later. */
export const isRealSince = (minor: number): boolean => hasRealEtcd && realMinor >= minor;

/** True if the real etcd is there and older than 3.`minor`. */
export const isRealBefore = (minor: number): boolean => hasRealEtcd && realMinor < minor;

const ETCDUTL = join(DIRECTORY, 'etcdutl');

/** The real program for files: etcdutl, or etcdctl before 3.5. */
export const REAL_FILES_PROGRAM: string = existsSync(ETCDUTL) ? ETCDUTL : REAL_ETCDCTL;
