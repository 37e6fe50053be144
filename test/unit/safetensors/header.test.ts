import { describe, expect, it } from 'vitest';
import { SAFETENSORS_DTYPES } from '../../../src/safetensors/dtypes.js';
import { readHeaderLength, parseHeader } from '../../../src/safetensors/header.js';
import { countBitsPerElement } from '../../../src/storage/elementTypes.js';
import { rawFile } from '../../support/rawSafetensors.js';
import { bytesFile, expectRefusal, refusal } from '../../support/safetensorsFiles.js';
import { runAtOnce } from '../../../src/storage/slices.js';

const parse = (bytes: Uint8Array, size = bytes.length) =>
  runAtOnce(parseHeader(bytes, size, 'm.safetensors'));
const tensor =
  (members: string, data = 0) =>
  () =>
    parse(rawFile(`{"a":{${members}}}`, data));
const u8 = (shape: string, bytes: number) =>
  tensor(`"dtype":"U8","shape":${shape},"data_offsets":[0,${bytes}]`, bytes);

describe('parseHeader', () => {
  it('gives places in the file, sizes and metadata', () => {
    const text =
      '{"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},' +
      '"__metadata__":{"format":"pt"},"a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}';
    const { tensors, metadata, headerBytes } = parse(rawFile(text, 16));
    const start = 8 + text.length;
    expect(headerBytes).toBe(text.length);
    expect({ ...metadata }).toEqual({ format: 'pt' });
    expect(tensors).toEqual([
      {
        name: 'a',
        file: 'm.safetensors',
        dtype: 'I32',
        shape: [],
        offset: start,
        bytes: 4,
        elements: 1,
      },
      {
        name: 'b',
        file: 'm.safetensors',
        dtype: 'F16',
        shape: [2, 3],
        offset: start + 4,
        bytes: 12,
        elements: 6,
      },
    ]);
  });

  it('needs only the header of a large file', () => {
    const head = rawFile(
      '{"a":{"dtype":"F32","shape":[3000000000],"data_offsets":[0,12000000000]}}',
    );
    expect(parse(head, head.length + 12e9).tensors[0].bytes).toBe(12e9);
  });

  it('takes a file without tensors, and metadata that is null', () => {
    expect(parse(rawFile('{}')).tensors).toEqual([]);
    expect({ ...parse(rawFile('{"__metadata__":null}')).metadata }).toEqual({});
  });

  it('takes every dtype, rank 64, and any header order', () => {
    for (const dtype of SAFETENSORS_DTYPES) {
      const file = rawFile(
        `{"a":["${dtype}",[4],[0,${countBitsPerElement(dtype) / 2}]]}`,
        countBitsPerElement(dtype) / 2,
      );
      expect(parse(file).tensors[0]).toMatchObject({
        dtype,
        elements: 4,
        bytes: countBitsPerElement(dtype) / 2,
      });
    }
    expect(u8(`[${Array(64).fill(1).join()}]`, 1)().tensors[0].shape).toHaveLength(64);
  });

  it('keeps the digits of dimensions beyond 2^53', () => {
    const [only] = u8('[0,18446744073709551615,2]', 0)().tensors;
    expect(only.exactShape).toEqual(['0', '18446744073709551615', '2']);
    expect(only.elements).toBe(0);
    expect(u8('[0,9007199254740991]', 0)().tensors[0].exactShape).toBeUndefined();
  });

  it('multiplies left to right in 64 bits', async () => {
    await expectRefusal(u8('[18446744073709551615,2,0]', 0), 'ValidationOverflow', 'tensor "a"');
    await expectRefusal(u8('[4294967296,4294967296]', 0), 'ValidationOverflow');
    // 2^61 elements of 8 bits are 2^64 bits: the elements fit, the bits do not.
    await expectRefusal(u8('[2305843009213693952]', 0), 'ValidationOverflow', '8 bits');
    await expectRefusal(u8('[2305843009213693951]', 0), 'TensorInvalidInfo', '2305843009213693951');
  });

  it('compares offsets beyond 2^53 digit by digit', async () => {
    const shape = '[9007199254740993]';
    const exact = tensor(`"dtype":"U8","shape":${shape},"data_offsets":[0,9007199254740993]`);
    await expectRefusal(exact, 'MetadataIncompleteBuffer', '9007199254740993 of 9007199254740993');
    const near = tensor(`"dtype":"U8","shape":${shape},"data_offsets":[0,9007199254740992]`);
    await expectRefusal(near, 'TensorInvalidInfo');
  });

  it.each([
    ['a hole', '{"a":["U8",[1],[0,1]],"b":["U8",[1],[2,3]]}', 3, '"a" ends at 1, leaving a hole'],
    [
      'an overlap',
      '{"a":["U8",[2],[0,2]],"b":["U8",[2],[1,3]]}',
      3,
      '"a" ends at 2, overlapping it',
    ],
    ['two at one place', '{"a":["U8",[2],[0,2]],"b":["U8",[2],[0,2]]}', 2, 'tensor "b"'],
    [
      'an end before its begin',
      '{"a":["U8",[2],[0,2]],"b":["U8",[1],[2,1]]}',
      2,
      'before it begins',
    ],
    ['not from 0', '{"a":["U8",[1],[1,2]]}', 2, 'the data begins at 0'],
  ])('refuses tensors with %s', async (_, text, data, mention) => {
    await expectRefusal(() => parse(rawFile(text, data)), 'InvalidOffset', mention);
  });

  it('refuses a file cut short or with something appended, and says by how much', async () => {
    const file = bytesFile({ a: 100 });
    const rule = 'MetadataIncompleteBuffer';
    await expectRefusal(
      () => parse(file.subarray(0, -30)),
      rule,
      '30 of 100 bytes',
      'm.safetensors',
    );
    await expectRefusal(() => parse(file, file.length + 7), rule, '7 bytes follow the last tensor');
  });

  it.each([
    ['dtype', '"shape":[],"data_offsets":[0,0]'],
    ['shape', '"dtype":"U8","data_offsets":[0,0]'],
    ['data_offsets', '"dtype":"U8","shape":[]'],
  ])('names a missing %s', async (key, members) => {
    await expectRefusal(tensor(members), 'InvalidHeaderDeserialization', `"${key}" is missing`);
  });

  it.each([
    '["U8",[1]]',
    '["U8",[1],[0,1],null]',
    '[]',
    '[[1],"U8",[0,1]]',
    '{"dtype":null,"shape":[1],"data_offsets":[0,1]}',
    '{"dtype":"__proto__","shape":[1],"data_offsets":[0,1]}',
    '{"dtype":"toString","shape":[1],"data_offsets":[0,1]}',
    '{"dtype":"U8","shape":1,"data_offsets":[0,1]}',
    '{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":[NaN]}',
    '{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1,"x":2}',
    'null',
    '"U8"',
  ])('refuses the tensor %s', async (text) => {
    const error = await refusal(() => parse(rawFile(`{"a":${text}}`, 1)));
    expect(error.rule).toBe('InvalidHeaderDeserialization');
    expect(error.place).toMatch(/^tensor "a", header byte \d+$/);
  });

  it.each([
    '{"__metadata__":{},"__metadata__":{}}',
    '{"__metadata__":null,"__metadata__":null}',
    '{"__metadata__":{},"__meta\\u0064ata__":{}}',
    '{"__metadata__":[]}',
    '{"__metadata__":"x"}',
    '{"__metadata__":{"a":null}}',
  ])('refuses the metadata of %s', async (text) => {
    await expectRefusal(() => parse(rawFile(text)), 'InvalidHeaderDeserialization', '__metadata__');
  });

  it('refuses a name given twice, wherever the ranges lie', async () => {
    const twice = rawFile('{"a":["U8",[1],[0,1]],"b":["U8",[1],[1,2]],"a":["U8",[1],[2,3]]}', 3);
    await expectRefusal(() => parse(twice), 'DuplicateName', 'tensor "a"', 'm.safetensors');
  });

  it('keeps metadata keys that objects have of themselves', () => {
    const { metadata } = parse(rawFile('{"__metadata__":{"__proto__":"x","constructor":"y"}}'));
    expect(Object.entries(metadata)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it('refuses text that is not UTF-8', async () => {
    for (const bytes of [
      [0xff],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xc3],
    ]) {
      const header = Buffer.concat([Buffer.from('{"'), Buffer.from(bytes), Buffer.from('":1}')]);
      await expectRefusal(() => parse(rawFile(header)), 'InvalidHeader', 'not UTF-8');
    }
  });

  it('keeps hostile names out of the line structure of messages', async () => {
    const name = 'x\ny\u202e\u2028' + 'z'.repeat(500);
    const error = await refusal(() =>
      parse(rawFile(`{${JSON.stringify(name)}:["U8",[1],[0,2]]}`, 2)),
    );
    expect(error.message).toContain('x\\u{a}y\\u{202e}\\u{2028}');
    expect(error.message.length).toBeLessThan(400);
  });

  it('takes any rank up to a limit that no model comes near', async () => {
    const file = (rank: number) =>
      rawFile(`{"a":{"dtype":"U8","shape":[${'1,'.repeat(rank - 1)}1],"data_offsets":[0,1]}}`, 1);
    expect(parse(file(65_536)).tensors[0].shape).toHaveLength(65_536);
    await expectRefusal(() => parse(file(65_537)), 'TooManyDimensions', 'tensor "a"', '65536');
    const array = rawFile(`{"a":["U8",[${'1,'.repeat(65_536)}1],[0,1]]}`, 1);
    await expectRefusal(() => parse(array), 'TooManyDimensions', 'tensor "a"');
  });

  it('takes a million keys of metadata and no more', { timeout: 120_000 }, async () => {
    const keys = Array.from({ length: 1_000_000 }, (_, i) => `"${i.toString(36)}":""`).join();
    const of = (members: string) => rawFile(`{"__metadata__":{${members}}}`);
    expect(Object.keys(parse(of(keys)).metadata)).toHaveLength(1_000_000);
    await expectRefusal(() => parse(of(`${keys},"more":""`)), 'TooMuchMetadata', '1000000');
  });

  it('passes over what nobody reads, however much', () => {
    const numbers = '[1,-2.5e3,{"x":[null,true,"\\u00e9"]}],'.repeat(20_000);
    const unknown = Array.from({ length: 5000 }, (_, i) => `"k${i}":${i}`).join();
    const text = `{"a":{"dtype":"U8","more":[${numbers}1],${unknown},"shape":[1],"data_offsets":[0,1]}}`;
    expect(parse(rawFile(text, 1)).tensors).toHaveLength(1);
  });

  it('sorts tensors of any order by offset', () => {
    const order = Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 20_000);
    const members = order.map((at) => `"t${at}":["U8",[1],[${at},${at + 1}]]`);
    const { tensors } = parse(rawFile(`{${members.join()}}`, 20_000));
    expect(tensors.map(({ name }) => name)).toEqual(order.map((_, at) => `t${at}`));
  });

  it('reads a hundred thousand tensors', { timeout: 60_000 }, () => {
    let end = 0;
    const members = Array.from({ length: 100_000 }, (_, i) => {
      const name = `model.layers.${i >> 3}.mlp.experts.${i & 7}.down_proj.weight`;
      const begin = end;
      end += i % 5;
      return `"${name}":{"dtype":"U8","shape":[${i % 5}],"data_offsets":[${begin},${end}]}`;
    });
    const { tensors } = parse(rawFile(`{${members.join()}}`, end));
    expect(tensors).toHaveLength(100_000);
    expect(tensors.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(end);
  });
});

describe('headerLength', () => {
  const lengthField = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  };

  it('bounds the header before anything is allocated for it', async () => {
    expect(readHeaderLength(lengthField(100_000_000n), 100_000_008, 'm')).toBe(100_000_000);
    for (const length of [100_000_001n, 2n ** 63n, 2n ** 64n - 1n]) {
      const read = () => readHeaderLength(lengthField(length), 1e12, 'm');
      await expectRefusal(read, 'HeaderTooLarge', String(length), '100000000');
    }
    const beyond = () => readHeaderLength(lengthField(100_000_000n), 100_000_007, 'm');
    await expectRefusal(beyond, 'InvalidHeaderLength');
  });

  it('tells a download that stopped inside the header', async () => {
    const cut = bytesFile({ a: 1 }).subarray(0, 20);
    await expectRefusal(() => parse(cut), 'InvalidHeaderLength', 'cut off');
  });

  const LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:ab12\nsize 4976698672\n';
  it.each<[string, string | Uint8Array, string]>([
    ['Git LFS pointer', LFS, '"git lfs pull" to fetch the file of 4976698672 bytes'],
    ['GGUF', Buffer.from('GGUF\x03\0\0\0\x23\x01\0\0', 'latin1'), 'this is a GGUF file'],
    ['PyTorch zip', 'PK\x03\x04\0\0\x08\x08\0\0archive/data.pkl', 'a PyTorch checkpoint (zip)'],
    ['zip', 'PK\x03\x04\x14\0\0\0\x08\0readme.txt', 'a zip archive'],
    ['npz', 'PK\x03\x04\x14\0\0\0\x08\0weights.npy\0', 'a NumPy .npz archive'],
    [
      'old PyTorch',
      Buffer.from('\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e', 'latin1'),
      'a PyTorch checkpoint (pickle',
    ],
    ['pickle', Buffer.from('\x80\x04\x95\x10\0\0\0\0\0\0\0}q', 'latin1'), 'a Python pickle'],
    ['HTML', '<!DOCTYPE html><html><head>', 'a web page (HTML)'],
    ['HTML after space', '\n\n  <html lang="en">', 'a web page (HTML)'],
    ['XML', '<?xml version="1.0"?><Error><Code>AccessDenied', 'an XML document'],
    ['JSON', '{"error":"Repository not found"}', 'a JSON text'],
    ['words', 'Entry not found', 'plain text, beginning "Entry not found"'],
    ['HDF5', Buffer.from('\x89HDF\r\n\x1a\n\0\0', 'latin1'), 'an HDF5 file'],
    ['NumPy', Buffer.from('\x93NUMPY\x01\0v\0{', 'latin1'), 'a NumPy .npy file'],
    ['gzip', Buffer.from('\x1f\x8b\x08\0\0\0\0\0\0\x03', 'latin1'), 'a gzip archive'],
    ['zeros', new Uint8Array(4096), 'a file filled with zeros'],
    ['short text', 'hello', 'plain text, beginning "hello"'],
  ])('says that a file is really %s', async (_, content, mention) => {
    const error = await refusal(() => parse(Buffer.from(content)));
    expect(error.message).toContain(mention);
    expect(error.message).toContain('m.safetensors');
  });

  it('claims nothing about bytes it does not know', async () => {
    const error = await refusal(() =>
      parse(Buffer.from('\x01\x02\x03\xf4\x05\x06\x07\x08', 'latin1')),
    );
    expect(error.message).not.toContain('this is');
  });
});
