import { MemoryFs } from '../../../src/platform/memory-fs.js';
import type { Random } from '../../../src/platform/random.js';
import { decodeMetaPage, META_PAGE_BYTES } from '../../../src/storage/bbolt/meta.js';
import { PAGE_BYTES } from '../../../src/storage/bbolt/page.js';
import { fileBytes, putFile } from '../../storage/wal/support.js';
import { type Answer, answerOf } from './answers.js';
import { damage } from './damage.js';
import { type FileOperation, scannedRows } from './database-operations.js';
import { type Extent, withContentOf } from './extents.js';
import type { Tally } from './tally.js';

/** A sound file to damage. */
export interface SoundFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** What no checksum covers; of a snapshot with a hash nothing. */
  readonly content: readonly Extent[];
}

/** Carries out operations on damaged copies of one file and judges what they say. */
export class DatabaseJudge {
  readonly #sound: SoundFile;
  readonly #path: string;
  readonly #operations: Readonly<Record<string, FileOperation>>;
  readonly #tally: Tally;
  readonly #soundAnswers = new Map<string, Answer>();
  readonly #earlierAnswers = new Map<string, Answer>();
  #soundScan: ReadonlySet<string> = new Set();
  readonly #older: Buffer | undefined;

  private constructor(
    sound: SoundFile,
    operations: Readonly<Record<string, FileOperation>>,
    tally: Tally,
  ) {
    this.#sound = sound;
    this.#path = `/${sound.name}`;
    this.#operations = operations;
    this.#tally = tally;
    this.#older = withoutNewestMeta(sound.bytes);
  }

  static async create(
    sound: SoundFile,
    operations: Readonly<Record<string, FileOperation>>,
    tally: Tally,
  ): Promise<DatabaseJudge> {
    const judge = new DatabaseJudge(sound, operations, tally);
    for (const [name, operation] of Object.entries(operations)) {
      const answer = await judge.#answer(sound.bytes, operation);
      if (!('text' in answer)) {
        throw new Error(`${name} of the sound ${sound.name} failed`, {
          cause: 'fault' in answer ? answer.fault : answer.error,
        });
      }
      judge.#soundAnswers.set(name, answer);
      if (judge.#older !== undefined) {
        judge.#earlierAnswers.set(name, await judge.#answer(judge.#older, operation));
      }
    }
    judge.#soundScan = await scannedRows(await judge.#disk(sound.bytes), judge.#path);
    return judge;
  }

  /** Damages a copy and judges all operations on it. Returns what must not be. */
  async tryOne(random: Random): Promise<string[]> {
    const { kind, bytes } = damage(this.#sound.bytes, random);
    const findings: string[] = [];
    this.#tally.files++;
    for (const [name, operation] of Object.entries(this.#operations)) {
      const answer = await this.#answer(bytes, operation);
      const verdict = await this.#judge(name, operation, answer, bytes);
      if (verdict.finding === undefined) this.#tally.count(name, verdict.kind);
      else findings.push(`${kind}, ${name}: ${verdict.finding}`);
    }
    findings.push(...(await this.#scan(bytes)));
    return findings;
  }

  async #judge(
    name: string,
    operation: FileOperation,
    answer: Answer,
    bytes: Buffer,
  ): Promise<{ kind: string; finding?: string }> {
    if ('fault' in answer) return { kind: '', finding: stackOf(answer.fault) };
    if ('error' in answer) return { kind: answer.error };
    if (isSame(answer, this.#soundAnswers.get(name))) return { kind: 'same' };
    if (isSame(answer, this.#earlierAnswers.get(name))) return { kind: 'earlier' };
    for (const sound of [this.#sound.bytes, this.#older]) {
      const changed = sound && withContentOf(sound, bytes, this.#sound.content);
      if (changed === undefined) continue;
      if (isSame(answer, await this.#answer(changed, operation))) return { kind: 'content' };
    }
    return { kind: '', finding: `a wrong answer: ${answer.text.slice(0, 300)}` };
  }

  /** Reading leaf by leaf, it finds fewer rows, but none that the file does not have. */
  async #scan(bytes: Buffer): Promise<string[]> {
    const name = 'dump-db scan-keys';
    const fs = await this.#disk(bytes);
    let found: Set<string> | undefined;
    const answer = await answerOf(async () => {
      found = await scannedRows(fs, this.#path);
    });
    if ('fault' in answer) return [`${name}: ${stackOf(answer.fault)}`];
    if ('error' in answer) {
      this.#tally.count(name, answer.error);
      return [];
    }
    const isKnown = [...(found ?? [])].every((row) => this.#soundScan.has(row));
    const isWhole = isKnown && found?.size === this.#soundScan.size;
    this.#tally.count(name, isWhole ? 'same' : isKnown ? 'fewer rows' : 'changed rows');
    return [];
  }

  async #disk(bytes: Buffer): Promise<MemoryFs> {
    const fs = new MemoryFs({ tracked: false });
    await putFile(fs, this.#path, bytes);
    return fs;
  }

  async #answer(bytes: Buffer, operation: FileOperation): Promise<Answer> {
    const fs = await this.#disk(bytes);
    const answer = await answerOf(() => operation(fs, this.#path));
    if (!(await fileBytes(fs, this.#path)).equals(bytes)) {
      return { fault: new Error('the original was changed') };
    }
    const left = await fs.readDirectory('/');
    return left.length === 1 ? answer : { fault: new Error(`it left ${left.join(', ')}`) };
  }
}

function isSame(one: Answer, other: Answer | undefined): boolean {
  return other !== undefined && 'text' in one && 'text' in other && one.text === other.text;
}

function stackOf(fault: unknown): string {
  return fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
}

/** A bbolt file as it is read when its newer meta page is damaged. */
export function withoutNewestMeta(bytes: Buffer): Buffer | undefined {
  const metas = [0, 1].map((page) => decodeMetaPage(bytes, page * PAGE_BYTES));
  const [first, second] = metas;
  if (typeof first !== 'object' || typeof second !== 'object') return undefined;
  const newest = second.transaction > first.transaction ? 1 : 0;
  const copy = Buffer.from(bytes);
  return copy.fill(0, newest * PAGE_BYTES, newest * PAGE_BYTES + META_PAGE_BYTES);
}
