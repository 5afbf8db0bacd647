/**
 * 64 bits of a hash of a key. Tables that tell keys apart by them err with a chance of n² / 2^65:
 * among 100 million keys 1 in 4,000, among 10 million 1 in 370,000.
 */
export class KeyHash {
  high = 0;
  low = 0;

  /** Sets both halves, unsigned. */
  update(key: Uint8Array): void {
    let high = 0xdeadbeef;
    let low = 0x41c6ce57;
    for (let index = 0; index < key.length; index++) {
      const byte = key[index] as number;
      high = Math.imul(high ^ byte, 0x9e3779b1);
      high ^= high >>> 15;
      low = Math.imul(low ^ byte, 0x5f356495);
      low ^= low >>> 13;
    }
    high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
    low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
    this.high = high >>> 0;
    this.low = low >>> 0;
  }
}
