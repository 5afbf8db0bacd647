/** A source of randomness, passed in so that the simulator can seed it. */
export interface Random {
  /** Uniform float in [0, 1). */
  float(): number;
  /** Uniform integer in [0, bound); `bound` is a safe positive integer. */
  integer(bound: number): number;
  /** `count` random bytes. */
  bytes(count: number): Buffer;
}
