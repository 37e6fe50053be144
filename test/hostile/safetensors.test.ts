import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseHeader } from '../../src/safetensors/header.js';
import { openLocalCheckpoint } from '../support/checkpoints.js';
import { refusal } from '../support/safetensorsFiles.js';
import { runAtOnce } from '../../src/storage/slices.js';

const folder = fileURLToPath(new URL('../fixtures/hostile/', import.meta.url));
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
  cases: Record<string, { reference: string }>;
};

/** Where we are stricter than the reference on purpose: the format forbids the same name twice. */
const STRICTER: Readonly<Record<string, string>> = {
  'dup_name_via_escape.safetensors': 'DuplicateName',
};

/** What the message must name beside file and rule. */
const PLACES: Readonly<Record<string, string>> = {
  'bad_7_bytes.safetensors': 'only 7 bytes',
  'bad_begin_gt_end.safetensors': 'tensor "a"',
  'bad_bom.safetensors': 'header byte 0: expected an object, found a byte-order mark',
  'bad_comment.safetensors': 'found a comment',
  'bad_deep_nesting.safetensors': 'tensor "a"',
  'bad_dtype_lowercase.safetensors': 'unknown dtype "f32"',
  'bad_dtype_number.safetensors': 'tensor "a", header byte 14',
  'bad_empty_file.safetensors': 'is empty',
  'bad_f4_odd_misaligned.safetensors': '3 elements of 4 bits',
  'bad_f4_wrong_size.safetensors': 'F4 of shape [1, 2] needs 1 bytes, its data_offsets span 2',
  'bad_f6_misaligned.safetensors': '3 elements of 6 bits',
  'bad_header_len_100000000_short_file.safetensors': '100000000 bytes, but the file ends after 2',
  'bad_header_len_zero.safetensors': 'the end of the text',
  'bad_header_nul_padding.safetensors': 'a NUL byte',
  'bad_json_string.safetensors': 'expected an object',
  'bad_metadata_nested.safetensors': '__metadata__, header byte',
  'bad_metadata_non_string_value.safetensors': '__metadata__, header byte',
  'bad_nan_literal.safetensors': 'found NaN',
  'bad_nbits_overflow.safetensors': 'does not fit in 64 bits',
  'bad_offset_partial_overlap.safetensors': 'tensor "b": its data begins at 4, but "a" ends at 8',
  'bad_offsets_len1.safetensors': '"data_offsets" needs two numbers, found 1',
  'bad_offsets_len3.safetensors': '"data_offsets" needs two numbers, found 3',
  'bad_offsets_object.safetensors': 'expected an array',
  'bad_shape_exponent.safetensors': 'a fraction or an exponent',
  'bad_shape_float.safetensors': 'a fraction or an exponent',
  'bad_shape_negative.safetensors': 'a negative number',
  'bad_shape_overflow.safetensors': 'the product of the shape does not fit in 64 bits',
  'bad_shape_u64_overflow_literal.safetensors': 'over 2^64 − 1',
  'bad_size_mismatch_large.safetensors': 'needs 16 bytes, its data_offsets span 17',
  'bad_utf16_header.safetensors': 'a NUL byte',
  'dup_field_in_tensor.safetensors': 'the key "dtype" stands here twice',
  'dup_name_via_escape.safetensors': 'tensor "a": two tensors have this name',
};

describe('hostile safetensors files', () => {
  it('are all in the manifest', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
    expect(files.sort()).toEqual(Object.keys(manifest.cases).sort());
  });

  for (const [name, { reference }] of Object.entries(manifest.cases)) {
    const verdict = STRICTER[name] ?? reference;
    it(`${name}: ${verdict}`, async () => {
      const path = join(folder, name);
      if (verdict === 'OK') {
        const checkpoint = await openLocalCheckpoint(path);
        expect(checkpoint.files.map((file) => file.name)).toEqual([name]);
        return;
      }
      const error = await refusal(() => openLocalCheckpoint(path));
      expect(error.rule).toBe(verdict);
      expect(error.file).toBe(path);
      expect(error.message).toContain(name);
      expect(PLACES).toHaveProperty([name]);
      expect(error.message).toContain(PLACES[name]);
    });
  }
});

describe('accepted oddities keep their contents', () => {
  const parse = (name: string) => {
    const bytes = readFileSync(join(folder, name));
    return runAtOnce(parseHeader(bytes, bytes.length, name));
  };

  it('weird names are plain keys', () => {
    const names = parse('ok_unicode_and_weird_names.safetensors').tensors.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['', '__proto__', 'constructor', '../../etc/passwd']),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  it('a tensor given as an array', () => {
    expect(parse('ok_tensor_as_array.safetensors').tensors).toMatchObject([
      { name: 'a', dtype: 'U8', shape: [1], bytes: 1, elements: 1 },
    ]);
  });

  it('a metadata key given twice keeps its last value', () => {
    expect({ ...parse('dup_metadata_inner_key.safetensors').metadata }).toEqual({ a: '2' });
  });

  it('two half-byte elements share a byte', () => {
    expect(parse('ok_f4.safetensors').tensors).toMatchObject([{ elements: 2, bytes: 1 }]);
  });

  it('empty tensors at one offset precede the one that has data', () => {
    const { tensors } = parse('ok_zero_sized_two_same_offset.safetensors');
    expect(tensors.map(({ name }) => name)).toEqual(['z1', 'z2', 'b']);
  });

  it('a scalar has one element', () => {
    expect(parse('ok_scalar_empty_shape.safetensors').tensors).toMatchObject([
      { shape: [], elements: 1, bytes: 4 },
    ]);
  });
});
