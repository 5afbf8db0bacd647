import { expect, it } from 'vitest';
import { diagnoseFailure, diagnosisText } from '../../src/client/diagnosis.js';

it.each([
  ['ENOTFOUND', 'dns', 'h:1: no such host (check the name in --endpoints)'],
  ['EAI_AGAIN', 'dns', 'h:1: name resolution failed (is DNS reachable?)'],
  ['EHOSTUNREACH', 'tcp', 'h:1: no route to host'],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'tls',
    "h:1: the server's certificate is not valid for this host name",
  ],
])('explains %s', (code, layer, text) => {
  const diagnosis = diagnoseFailure('h:1', 'tcp', Object.assign(new Error('x'), { code }));
  expect(diagnosis.layer).toBe(layer);
  expect(diagnosisText(diagnosis)).toBe(text);
});

it('falls back on the stage and on what the error says', () => {
  expect(diagnosisText(diagnoseFailure('h:1', 'tls', new Error('odd')))).toBe('h:1: odd');
  expect(diagnoseFailure('h:1', 'http2', undefined).layer).toBe('http2');
});
