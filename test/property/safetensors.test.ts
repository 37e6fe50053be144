import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SAFETENSORS_DTYPES } from '../../src/safetensors/dtypes.js';
import { parseHeader } from '../../src/safetensors/header.js';
import { layOutFile, type TensorEntry } from '../../src/safetensors/layout.js';
import { writeSafetensors } from '../../src/safetensors/node/writer.js';
import { StrictJsonError, StrictJsonReader } from '../../src/safetensors/strictJson.js';
import { countBitsPerElement } from '../../src/storage/elementTypes.js';
import { CheckpointError } from '../../src/storage/errors.js';
import { openLocalCheckpoint } from '../support/checkpoints.js';
import { temporaryFolder } from '../support/safetensorsFiles.js';
import { runAtOnce } from '../../src/storage/slices.js';

const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', '', 'a"b\\c', '../x', 'model.layers.0.w'),
);
const entry: fc.Arbitrary<TensorEntry> = fc
  .record({
    name: name.filter((text) => text !== '__metadata__'),
    dtype: fc.constantFrom(...SAFETENSORS_DTYPES),
    shape: fc.array(fc.nat(5), { maxLength: 4 }),
  })
  .filter(
    ({ dtype, shape }) => (shape.reduce((a, b) => a * b, 1) * countBitsPerElement(dtype)) % 8 === 0,
  );
const entries = fc.uniqueArray(entry, { selector: (item) => item.name, maxLength: 12 });
const metadata = fc.dictionary(name, fc.string({ unit: 'binary', maxLength: 12 }), {
  maxKeys: 4,
  noNullPrototype: false,
});

/** What every accepted file must satisfy: its tensors tile the data exactly, with the right sizes. */
function checkTiling(bytes: Uint8Array): void {
  const { tensors, headerBytes } = runAtOnce(parseHeader(bytes, bytes.length, 'f'));
  let reached = 8 + headerBytes;
  for (const tensor of tensors) {
    expect(tensor.offset).toBe(reached);
    expect(tensor.bytes * 8).toBe(tensor.elements * countBitsPerElement(tensor.dtype));
    reached += tensor.bytes;
  }
  expect(reached).toBe(bytes.length);
  expect(new Set(tensors.map((tensor) => tensor.name)).size).toBe(tensors.length);
}

/** Accepts properly or refuses properly; anything else fails. Says which. */
function verdict(bytes: Uint8Array): string {
  try {
    checkTiling(bytes);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    expect(error.message).not.toMatch(/[\n\r]/);
    return error.rule;
  }
}

function fileOf(items: readonly TensorEntry[], texts: Readonly<Record<string, string>>): Buffer {
  const { head, sizeBytes } = layOutFile(items, texts, 'f');
  return Buffer.concat([head], sizeBytes);
}

describe('safetensors files', () => {
  it('round-trip through writer and reader', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'f.safetensors');
    await fc.assert(
      fc.asyncProperty(
        entries,
        metadata,
        fc.integer({ min: 1, max: 64 }),
        async (items, texts, step) => {
          let next = 0;
          const content = new Map<string, number[]>();
          await writeSafetensors(path, items, texts, async (item, sink) => {
            const bytes = Array.from({ length: sink.bytes }, () => next++ % 256);
            content.set(item.name, bytes);
            for (let at = 0; at < bytes.length; at += step) {
              await sink.write(Uint8Array.from(bytes.slice(at, at + step)));
            }
          });
          const checkpoint = await openLocalCheckpoint(path);
          const file = await readFile(path);
          expect(file.readBigUInt64LE() % 8n).toBe(0n);
          checkTiling(file);
          expect(new Map(Object.entries(checkpoint.metadata))).toEqual(
            new Map(Object.entries(texts)),
          );
          expect(checkpoint.tensors.length).toBe(items.length);
          for (const item of items) {
            const tensor = checkpoint.tensors.find((found) => found.name === item.name);
            expect(tensor).toMatchObject({ dtype: item.dtype, shape: item.shape });
            const { offset, bytes } = tensor!;
            expect([...file.subarray(offset, offset + bytes)]).toEqual(content.get(item.name));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are refused or still tile when bytes of the head change', () => {
    const change = fc.tuple(
      fc.nat(),
      fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0129[]{},:"\\ '))),
    );
    fc.assert(
      fc.property(
        entries,
        metadata,
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (items, texts, changes) => {
          const file = fileOf(items, texts);
          const headLength = 8 + Number(file.readBigUInt64LE());
          for (const [at, byte] of changes) file[at % headLength] = byte;
          verdict(file);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('are refused or still tile when text is deleted, doubled or swapped in the header', () => {
    const edits = fc.array(
      fc.record({
        kind: fc.constantFrom('delete', 'double', 'swap'),
        at: fc.nat(),
        length: fc.nat(40),
      }),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(entries, edits, (items, list) => {
        const file = fileOf(items, {});
        const headerEnd = 8 + Number(file.readBigUInt64LE());
        let text = file.subarray(8, headerEnd);
        for (const { kind, at, length } of list) {
          const from = at % (text.length + 1);
          const [before, part, after] = [
            text.subarray(0, from),
            text.subarray(from, from + length),
            text.subarray(from + length),
          ];
          if (kind === 'delete') text = Buffer.concat([before, after]);
          else if (kind === 'double') text = Buffer.concat([before, part, part, after]);
          else text = Buffer.concat([part, before, after]);
        }
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(text.length));
        verdict(Buffer.concat([length, text, file.subarray(headerEnd)]));
      }),
      { numRuns: 1500 },
    );
  });

  it('are refused at every other length', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (items, cut) => {
        const file = fileOf(items, {});
        expect(verdict(file.subarray(0, cut % file.length))).toMatch(
          /^(HeaderTooSmall|InvalidHeaderLength|MetadataIncompleteBuffer)$/,
        );
        const longer = Buffer.concat([file, Buffer.alloc(1 + (cut % 9))]);
        expect(verdict(longer)).toBe('MetadataIncompleteBuffer');
      }),
    );
  });

  it('of random bytes never crash the reader', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, plausible) => {
        const file = Buffer.from(bytes);
        if (plausible && file.length >= 8) file.writeBigUInt64LE(BigInt(file.length - 8));
        verdict(file);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('StrictJsonReader against JSON.parse', () => {
  const strict = (bytes: Uint8Array): 'json' | 'refused' => {
    try {
      const reader = new StrictJsonReader(bytes);
      runAtOnce(reader.skipValue());
      reader.end();
      return 'json';
    } catch (error) {
      if (error instanceof StrictJsonError) return 'refused';
      throw error;
    }
  };

  it('takes all that JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
        expect(strict(Buffer.from(JSON.stringify(value, null, indent)))).toBe('json');
      }),
    );
  });

  it('agrees on texts made of JSON’s own pieces', () => {
    const piece = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '"a"',
        '"\\u0041"',
        '\\',
        '0',
        '-',
        '1',
        '.',
        'e',
        '+',
      ],
      ...['true', 'false', 'null', 'NaN', ' ', '\n', '\t', '/', '\u00a0', '\ufeff', '\0'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const text = pieces.join('');
        let expected: 'json' | 'refused' = 'json';
        try {
          JSON.parse(text);
        } catch {
          expected = 'refused';
        }
        expect(strict(Buffer.from(text))).toBe(expected);
      }),
      { numRuns: 5000 },
    );
  });
});
