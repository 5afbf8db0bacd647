/** What a client speaks, judged by its first bytes. */
export type SniffedProtocol = 'http1' | 'http2' | 'tls' | 'unknown' | 'undecided';

const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Longest request line that counts as HTTP/1 (reference: server 4.1). */
const MAX_REQUEST_LINE_BYTES = 4096;

const NEWLINE = 0x0a;
/** First byte of a TLS handshake. */
const TLS_HANDSHAKE = 0x16;

/** Judges the bytes received so far; `undecided` asks for more. */
export function sniffProtocol(head: Buffer): SniffedProtocol {
  if (head[0] === TLS_HANDSHAKE) return 'tls';
  const length = Math.min(head.length, HTTP2_PREFACE.length);
  if (head.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length))) {
    return length === HTTP2_PREFACE.length ? 'http2' : 'undecided';
  }
  const end = head.subarray(0, MAX_REQUEST_LINE_BYTES).indexOf(NEWLINE);
  if (end < 0) return head.length < MAX_REQUEST_LINE_BYTES ? 'undecided' : 'unknown';
  const line = head.toString('latin1', 0, end).replace(/\r$/, '');
  return /^[^ ]+ .* HTTP\/1\.\d+$/.test(line) ? 'http1' : 'unknown';
}
