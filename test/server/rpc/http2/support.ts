import { onTestFinished } from 'vitest';
import { FrameType } from '../../../../src/base/http2/frames.js';
import { nodeClock } from '../../../../src/platform/node-clock.js';
import { Http2Transport } from '../../../../src/server/rpc/http2/http2-transport.js';
import type { RpcMethod } from '../../../../src/server/rpc/transport.js';
import type { RpcTransportOptions } from '../../../../src/server/rpc/transport-options.js';
import { frame, RawPeer, uint32 } from '../../../support/raw-http2.js';

export const SAY = '/test.Echo/Say';
export const CHAT = '/test.Echo/Chat';

export const SAY_METHOD: RpcMethod = { path: SAY, kind: 'unary', handle: (request) => request };

/** Answer with what they are asked. */
const ECHO: readonly RpcMethod[] = [
  SAY_METHOD,
  {
    path: CHAT,
    kind: 'bidiStream',
    handle: (stream) => {
      stream.onMessage((received) => void stream.send(received));
      stream.onHalfClose(() => stream.end());
    },
  },
];

/** A transport of {@link ECHO}, unless `options` say otherwise, until the running test ends. */
export function startTransport(options: Partial<RpcTransportOptions> = {}): Http2Transport {
  const transport = new Http2Transport({ methods: ECHO, clock: nodeClock, ...options });
  onTestFinished(() => transport.close(0));
  return transport;
}

/** A client of a transport of its own. */
export function peer(options: Partial<RpcTransportOptions> = {}): RawPeer {
  return new RawPeer(startTransport(options));
}

/** A stream's end by CANCEL. */
export function reset(streamId: number): Buffer {
  return frame(FrameType.RstStream, 0, streamId, uint32(8));
}
