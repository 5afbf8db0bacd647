import { expect, it } from 'vitest';
import { diagnoseFailure, diagnosisText } from '../../src/client/diagnosis.js';

it.each([
  ['ENOTFOUND', 'dns', 'h:1: no such host (check the name in --endpoints)'],
  ['EAI_AGAIN', 'dns', 'h:1: name resolution failed (is DNS reachable?)'],
  ['EHOSTUNREACH', 'tcp', 'h:1: no route to host'],
  [
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'tls',
    'h:1: the server does not trust our client certificate (give one with --cert and --key that an authority of its --trusted-ca-file signed)',
  ],
  [
    'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
    'tls',
    'h:1: the server wants a client certificate that it trusts (give --cert and --key)',
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

it('tells a certificate that is not accepted from one that is missing', () => {
  const error = Object.assign(new Error('x'), { code: 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE' });
  const problem = (hasCertificate: boolean): string =>
    diagnoseFailure('h:1', 'http2', error, { secure: true, hasCertificate }).problem;
  expect(problem(false)).toBe('the server wants a client certificate that it trusts');
  expect(problem(true)).toBe('the server does not accept our client certificate');
});

it('names the names that a certificate is valid for', () => {
  const error = Object.assign(new Error('x'), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    host: 'h',
    cert: { subjectaltname: 'DNS:a, IP Address:127.0.0.1' },
  });
  expect(diagnoseFailure('h:1', 'tls', error).problem).toBe(
    "the server's certificate is not valid for h, only for DNS:a, IP Address:127.0.0.1",
  );
});

it.each([
  [false, 'it may require a client certificate: give --cert and --key'],
  [true, 'it may not accept our client certificate: see --cert and --key'],
])('guesses why a server hangs up after the handshake (certificate given: %s)', (given, hint) => {
  const diagnosis = diagnoseFailure('h:1', 'http2', undefined, {
    secure: true,
    hasCertificate: given,
  });
  expect(diagnosis).toMatchObject({ layer: 'tls', hint });
});
