import { describe, expect, it } from 'vitest';
import {
  ETCD_ERROR_NAMES,
  EtcdError,
  etcdError,
  etcdErrorByMessage,
  GrpcCode,
  isEtcdError,
  RpcError,
  statusOf,
} from '../../src/proto/errors.js';

describe('errors', () => {
  it('finds every named error again by its text', () => {
    for (const name of ETCD_ERROR_NAMES) {
      expect(etcdErrorByMessage(etcdError(name).message)?.reason).toBe(name);
    }
    expect(etcdErrorByMessage('etcdserver: no such error')).toBeUndefined();
  });

  it('maps to the wire', () => {
    expect(statusOf(etcdError('Compacted'))).toEqual({
      code: GrpcCode.OutOfRange,
      message: 'etcdserver: mvcc: required revision has been compacted',
    });
    expect(statusOf(etcdError('MemberNotEnoughStarted')).code).toBe(GrpcCode.Unknown);
    expect(statusOf(etcdError('RequestTooManyRequests')).code).toBe(GrpcCode.Unknown);
    expect(statusOf(new RpcError(GrpcCode.Unimplemented, 'x'))).toEqual({ code: 12, message: 'x' });
    expect(statusOf(new TypeError('broken'))).toEqual({ code: 2, message: 'broken' });
    expect(statusOf('text')).toEqual({ code: 2, message: 'text' });
  });

  it('tells errors apart by name', () => {
    const error = etcdError('NoLeader');
    expect(error).toBeInstanceOf(EtcdError);
    expect(isEtcdError(error, 'NoLeader')).toBe(true);
    expect(isEtcdError(error, 'NotLeader')).toBe(false);
    expect(isEtcdError(new Error('etcdserver: no leader'), 'NoLeader')).toBe(false);
  });
});
