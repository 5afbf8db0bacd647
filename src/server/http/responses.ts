import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

const PLAIN_TEXT = 'text/plain; charset=utf-8';

/** Answers with a whole body. */
export function reply(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: OutgoingHttpHeaders,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

/** Plain text; browsers may not guess another type. */
export function replyText(response: ServerResponse, status: number, body: string): void {
  reply(response, status, body, {
    'Content-Type': PLAIN_TEXT,
    'X-Content-Type-Options': 'nosniff',
  });
}

/** An error as Go's HTTP library answers it: plain text with a newline added. */
export function replyError(response: ServerResponse, status: number, text: string): void {
  replyText(response, status, `${text}\n`);
}

export function replyNotFound(response: ServerResponse): void {
  replyError(response, 404, '404 page not found');
}

/** Refuses everything but GET, HEAD included. False: the request has been answered. */
export function allowOnlyGet(method: string | undefined, response: ServerResponse): boolean {
  return allowOnly('GET', method, response);
}

/** Refuses all methods but one. False: the request has been answered. */
export function allowOnly(
  allowed: 'GET' | 'POST',
  method: string | undefined,
  response: ServerResponse,
): boolean {
  if (method === allowed) return true;
  response.setHeader('Allow', allowed);
  replyError(response, 405, 'Method Not Allowed');
  return false;
}
