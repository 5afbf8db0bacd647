// Generates src/proto/gen from src/proto/protos: buf runs ts-proto, and what ts-proto writes is then
// fitted to our strict wire reader and writer and to our compiler settings. Works offline.
//
// Usage: node scripts/generate-proto.js [output folder]

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PROTOS = join(ROOT, 'src/proto/protos');

const OPTIONS = [
  // 64-bit fields are bigint, save those the .proto files mark as JS_NUMBER.
  'forceLong=bigint',
  'useJsTypeOverride=true',
  'env=node',
  'esModuleInterop=true',
  'importSuffix=.js',
  'outputJsonMethods=false',
  'outputPartialMethods=false',
  'outputServices=none',
  'oneof=unions-value',
  'enumsAsLiterals=true',
  'unrecognizedEnum=false',
  'exportCommonSymbols=false',
  'annotateFilesWithVersion=false',
];

/** Runs ts-proto over all .proto files. */
function generate(folder, options) {
  const template = {
    version: 'v2',
    plugins: [
      { local: join(ROOT, 'node_modules/.bin/protoc-gen-ts_proto'), out: folder, opt: options },
    ],
  };
  const buf = join(ROOT, 'node_modules/.bin/buf');
  execFileSync(buf, ['generate', PROTOS, '--template', JSON.stringify(template)], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Replaces every match; a rule that matches nothing where it must is an error. */
function replaceAll(text, pattern, replacement, { required = false } = {}) {
  const result = text.replaceAll(pattern, replacement);
  if (required && result === text) {
    throw new Error(`ts-proto's output changed: nothing matches ${pattern}`);
  }
  return result;
}

/** The body of a `try` block moves two columns to the left when the block goes. */
function dedent(text) {
  return text.replaceAll(/^ {2}/gm, '');
}

/** Decoding: bounds and depth are the reader's business. */
function fitDecoders(text, proto2) {
  let result = replaceAll(
    text,
    /^ {4}const previousRecursionDepth = .*\n(?:.*\n){4} {4}try \{\n([\s\S]*?)\n {4}\} finally \{\n.*\n {4}\}\n/gm,
    (_match, body) => `${dedent(body)}\n`,
    { required: true },
  );
  result = replaceAll(
    result,
    'const end = length === undefined ? reader.len : reader.pos + length;',
    'const outerEnd = reader.len;\n    const end = reader.enter(length);',
    { required: true },
  );
  result = replaceAll(
    result,
    /^( +)return message;$/gm,
    '$1reader.leave(outerEnd);\n$1return message;',
    {
      required: true,
    },
  );
  result = replaceAll(result, 'const tag = reader.uint32();', 'const tag = reader.tag();', {
    required: true,
  });
  result = replaceAll(
    result,
    /^ +if \(\(tag & 7\) === 4 \|\| tag === 0\) \{\n +break;\n +\}\n( +)reader\.skip\(tag & 7\);$/gm,
    '$1reader.skip(tag);',
    { required: true },
  );
  result = replaceAll(result, /^ +switch \(tag >>> 3\) \{\n +\}\n/gm, '');
  result = replaceAll(
    result,
    '.decode(reader, reader.uint32())',
    '.decode(reader, reader.lengthPrefix())',
  );
  result = replaceAll(
    result,
    /const end2 = reader\.uint32\(\) \+ reader\.pos;\n( +)while \(reader\.pos < end2\) \{\n(.*)\n +\}\n/g,
    'const end2 = reader.enter(reader.lengthPrefix());\n$1while (reader.pos < end2) {\n$2\n$1}\n$1reader.leave(end);\n',
  );
  const rule = proto2 ? 'Safe' : 'Saturated';
  result = replaceAll(result, /longToNumber\(reader\.(u?int64)\(\)\)/g, `reader.$1${rule}()`);
  result = replaceAll(result, /^function longToNumber[\s\S]*?^\}\n\n/gm, '');
  result = replaceAll(result, /reader\.(u?int64)\(\) as bigint/g, 'reader.$1()');
  result = replaceAll(result, 'reader.int32() as any', 'reader.enumeration()');
  result = replaceAll(result, 'Buffer.from(reader.bytes())', 'reader.bytes()');
  return proto2 ? replaceAll(result, 'reader.string()', 'reader.stringUnchecked()') : result;
}

/** Encoding: the writer takes numbers and bigints and checks their range. */
function fitEncoders(text) {
  let result = replaceAll(
    text,
    /^ +if \(BigInt\.as\w+\(64, [^\n]*\{\n +throw new globalThis\.Error\([\s\S]*?\);\n +\}\n/gm,
    '',
  );
  result = replaceAll(result, /\.(u?int64)\(BigInt\(([\w.]+)\)\)/g, '.$1($2)');
  result = replaceAll(result, 'v!', 'v');
  return replaceAll(result, 'key: key as any', 'key');
}

/** Types: no namespaces, one codec interface, shared empty bytes, `create`. */
function fitTypes(text, depth) {
  const up = '../'.repeat(depth);
  let result = replaceAll(text, /^export namespace [\s\S]*?^\}\n\n/gm, '');
  result = replaceAll(result, /\ninterface MessageFns<T> \{[\s\S]*?^\}\n/gm, '', {
    required: true,
  });
  result = replaceAll(
    result,
    /^export const (\w+): MessageFns<\w+> = \{$/gm,
    'export const $1: MessageCodec<$1> = {\n' +
      '  create(fields?: Partial<$1>): $1 {\n    return { ...createBase$1(), ...fields };\n  },\n',
    { required: true },
  );
  result = replaceAll(result, 'Buffer.alloc(0)', 'EMPTY_BYTES');
  const imports = [
    `import type { MessageCodec } from "${up}../wire/message.js";`,
    `import { BinaryReader } from "${up}../wire/reader.js";`,
    `import { BinaryWriter } from "${up}../wire/writer.js";`,
  ];
  if (result.includes('EMPTY_BYTES')) {
    imports.unshift(`import { EMPTY_BYTES } from "${up}../../base/bytes.js";`);
  }
  result = replaceAll(
    result,
    'import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";',
    imports.join('\n'),
    { required: true },
  );
  return replaceAll(
    result,
    '// Code generated by protoc-gen-ts_proto. DO NOT EDIT.',
    '// Code generated by scripts/generate-proto.js. DO NOT EDIT.',
    { required: true },
  );
}

function main() {
  const output = resolve(process.argv[2] ?? join(ROOT, 'src/proto/gen'));
  const work = mkdtempSync(join(tmpdir(), 'etcdkit-proto-'));
  try {
    generate(join(work, 'proto3'), OPTIONS);
    // Fields of proto2 messages have presence: undefined is "not written", zero is written.
    generate(join(work, 'proto2'), [...OPTIONS, 'noDefaultsForOptionals=true']);
    rmSync(output, { recursive: true, force: true });
    for (const entry of readdirSync(PROTOS, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) {
        continue;
      }
      const source = join(entry.parentPath, entry.name);
      const proto2 = readFileSync(source, 'utf8').includes('syntax = "proto2"');
      const path = relative(PROTOS, source).replace(/\.proto$/, '.ts');
      const generated = readFileSync(join(work, proto2 ? 'proto2' : 'proto3', path), 'utf8');
      const fitted = fitEncoders(fitDecoders(generated, proto2));
      const target = join(output, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, fitTypes(fitted, path.split('/').length - 1));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

main();
