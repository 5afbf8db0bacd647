import type { Logger } from '../../base/logger.js';
import type { Gauge } from '../../base/metrics.js';
import { certificateFacts, notAfterMillis } from '../../platform/certificate-facts.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { parseCertificates } from '../../platform/key-pair.js';
import { type ReadFile, readNamed } from './certificate-source.js';

/** From how many days before the end of a certificate it is worth a line in the log each day. */
const WARNING_DAYS = 30;
const MILLIS_PER_DAY = 24 * 3600 * 1000;

/** A file with certificates that this server depends on. */
export interface WatchedFile {
  readonly path: string;
  readonly readFile: ReadFile;
}

export interface ExpiryWatchOptions {
  readonly files: readonly WatchedFile[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Seconds since the Unix epoch at which the first certificate of a file ends. */
  readonly notAfter: { with(path: string): Gauge };
}

/** Looks at the certificates at the start and then once a day, and warns before they end. */
export class ExpiryWatch {
  readonly #options: ExpiryWatchOptions;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ExpiryWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#look();
    this.#timer = this.#options.clock.setPeriodic(MILLIS_PER_DAY, () => this.#look());
  }

  /** Resolves when nothing is being looked at any more. */
  stop(): Promise<void> {
    this.#timer?.cancel();
    return this.#looking;
  }

  #look(): void {
    const { files, logger } = this.#options;
    this.#looking = this.#looking.then(async () => {
      for (const file of files) {
        await this.#lookAt(file).catch((error: Error) => {
          logger.warn('failed to look at certificate', { path: file.path, error: error.message });
        });
      }
    });
  }

  async #lookAt({ path, readFile }: WatchedFile): Promise<void> {
    const { clock, logger, notAfter } = this.#options;
    const certificates = parseCertificates(await readNamed(readFile, path));
    const [first] = certificates.sort((a, b) => notAfterMillis(a) - notAfterMillis(b));
    if (first === undefined) return;
    notAfter.with(path).set(notAfterMillis(first) / 1000);
    const facts = certificateFacts(first, clock.wallMillis());
    if (facts.daysLeft >= WARNING_DAYS) return;
    const fields = {
      path,
      subject: facts.subject,
      'not-after': facts.notAfter,
      'days-left': facts.daysLeft,
    };
    if (facts.daysLeft < 0) logger.error('certificate has expired', fields);
    else logger.warn('certificate expires soon', fields);
  }
}
