import type { Http2Code } from '../../../base/http2/frames.js';

/** The client broke the protocol in a way that ends the connection (RFC 9113, 5.4.1). */
export class ConnectionError extends Error {
  readonly code: Http2Code;

  /** @param message sent along, for whoever debugs the client */
  constructor(code: Http2Code, message: string) {
    super(message);
    this.name = 'ConnectionError';
    this.code = code;
  }
}
