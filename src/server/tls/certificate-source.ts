import { fileErrorText } from '../../platform/file-error-text.js';
import { checkKeyPair } from '../../platform/key-pair.js';

/** Reads a file whole. */
export type ReadFile = (path: string) => Promise<Buffer>;

/** A certificate with its key, in PEM. */
export interface KeyPair {
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** The files of a pair, read anew for each connection so that they can be replaced at any time. */
export class CertificateSource {
  readonly certFile: string;
  readonly keyFile: string;
  readonly readFile: ReadFile;
  #current: KeyPair | undefined;
  #loading: Promise<KeyPair> | undefined;

  constructor(certFile: string, keyFile: string, readFile: ReadFile) {
    this.certFile = certFile;
    this.keyFile = keyFile;
    this.readFile = readFile;
  }

  /**
   * What the files hold now; the same object as before if nothing changed. Connections that come
   * while the files are being read share the result.
   * @throws Error with Go's text if a file cannot be read or the two do not belong together
   */
  load(): Promise<KeyPair> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #load(): Promise<KeyPair> {
    const [certificate, key] = await Promise.all([
      readNamed(this.readFile, this.certFile),
      readNamed(this.readFile, this.keyFile),
    ]);
    const current = this.#current;
    if (current?.certificate.equals(certificate) && current.key.equals(key)) return current;
    checkKeyPair(certificate, key);
    this.#current = { certificate, key };
    return this.#current;
  }
}

/** @throws Error `open PATH: no such file or directory` and the like */
export async function readNamed(readFile: ReadFile, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(fileErrorText('open', path, error), { cause: error });
  }
}
