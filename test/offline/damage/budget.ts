/** Damaged files in one run of all these tests; `ETCDKIT_DAMAGED_FILES` makes it another number. */
const DEFAULT_FILES = 1200;

/** The part of them that one suite tries. */
export function filesFor(share: number): number {
  const all = Number(process.env.ETCDKIT_DAMAGED_FILES ?? DEFAULT_FILES);
  return Math.max(1, Math.ceil(all * share));
}

/** Where the random damage begins; `ETCDKIT_DAMAGE_SEED` makes it another one. */
export const SEED = Number(process.env.ETCDKIT_DAMAGE_SEED ?? 1);
