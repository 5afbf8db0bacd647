import { createSocket } from 'node:dgram';

/** A record that the server knows; names have no trailing dot. */
export type DnsRecord =
  | { readonly type: 'A'; readonly address: string }
  | { readonly type: 'SRV'; readonly target: string; readonly port: number };

export interface DnsServer {
  /** `127.0.0.1:<port>`, for `Resolver.setServers`. */
  readonly address: string;
  close(): Promise<void>;
}

const TYPE_CODES = { A: 1, SRV: 33 } as const;
const NAME_ERROR = 3;
const HEADER_BYTES = 12;

/** Serves records over UDP on the loopback interface; other names do not exist. */
export async function serveDns(
  records: Readonly<Record<string, readonly DnsRecord[]>>,
): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) =>
    socket.send(answer(query, records), from.port, from.address),
  );
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    close: () => new Promise((resolve) => socket.close(resolve)),
  };
}

function answer(query: Buffer, records: Readonly<Record<string, readonly DnsRecord[]>>): Buffer {
  const { name, end } = readName(query, HEADER_BYTES);
  const type = query.readUInt16BE(end);
  const known = Object.hasOwn(records, name) ? records[name] : undefined;
  const answers = (known ?? []).filter((record) => TYPE_CODES[record.type] === type);
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (known === undefined ? NAME_ERROR : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  const question = query.subarray(HEADER_BYTES, end + 4);
  return Buffer.concat([header, question, ...answers.map(encodeRecord)]);
}

function encodeRecord(record: DnsRecord): Buffer {
  const data =
    record.type === 'A'
      ? Buffer.from(record.address.split('.').map(Number))
      : Buffer.concat([uint16(0), uint16(0), uint16(record.port), encodeName(record.target)]);
  // The name is that of the question, which stands right behind the header.
  const name = uint16(0xc000 | HEADER_BYTES);
  const ttl = Buffer.from([0, 0, 0, 1]);
  return Buffer.concat([
    name,
    uint16(TYPE_CODES[record.type]),
    uint16(1),
    ttl,
    uint16(data.length),
    data,
  ]);
}

function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => {
    return Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  });
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
