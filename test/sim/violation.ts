/** Something that must never happen has happened. */
export class Violation extends Error {
  override readonly name = 'Violation';
  /** Which of the promises is broken. */
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`);
    this.rule = rule;
  }
}
