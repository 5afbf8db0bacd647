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
  /** Begins when the one that goes on is over. */
  #next: Promise<KeyPair> | undefined;

  constructor(certFile: string, keyFile: string, readFile: ReadFile) {
    this.certFile = certFile;
    this.keyFile = keyFile;
    this.readFile = readFile;
  }

  /**
   * What the files hold now; the same object as before if nothing changed. Connections that come
   * while the files are being read share the next reading: what began before may be out of date.
   * @throws Error with Go's text if a file cannot be read or the two do not belong together
   */
  load(): Promise<KeyPair> {
    if (this.#loading === undefined) return this.#begin();
    const begin = (): Promise<KeyPair> => {
      this.#next = undefined;
      return this.#begin();
    };
    this.#next ??= this.#loading.then(begin, begin);
    return this.#next;
  }

  #begin(): Promise<KeyPair> {
    const loading = this.#load().finally(() => {
      if (this.#loading === loading) this.#loading = undefined;
    });
    this.#loading = loading;
    return loading;
  }

  async #load(): Promise<KeyPair> {
    // One after the other: where both are absent, the certificate is the one to name, as in Go.
    const certificate = await readNamed(this.readFile, this.certFile);
    const key = await readNamed(this.readFile, this.keyFile);
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
