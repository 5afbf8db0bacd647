/** Rows that the child keeps behind the newest one. */
export const KEPT_ROWS = 500;

export function rowKey(n: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeInt32BE(n, 4);
  return key;
}
