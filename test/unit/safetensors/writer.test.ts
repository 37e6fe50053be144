import { link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TensorEntry } from '../../../src/safetensors/layout.js';
import {
  writeSafetensors,
  writeShardIndex,
  type TensorSink,
} from '../../../src/safetensors/node/writer.js';
import { openLocalCheckpoint } from '../../support/checkpoints.js';
import { rawFile } from '../../support/rawSafetensors.js';
import {
  bytesFile,
  expectRefusal,
  folderOf,
  temporaryFolder,
} from '../../support/safetensorsFiles.js';

const zeros = (_: TensorEntry, sink: TensorSink) => sink.write(new Uint8Array(sink.bytes));
const u8 = (name: string, size: number): TensorEntry => ({ name, dtype: 'U8', shape: [size] });

describe('writeSafetensors', () => {
  it('orders by dtype as the reference does, then by name, and pads the header to 8', async () => {
    const path = join(await temporaryFolder(), 'out.safetensors');
    const entries: TensorEntry[] = [
      { name: 'b', dtype: 'F32', shape: [1] },
      { name: 'a', dtype: 'U8', shape: [3] },
      // U+FF5E sorts before U+1F600 by UTF-8 bytes, after it by UTF-16 units.
      { name: '😀', dtype: 'F32', shape: [1] },
      { name: '～', dtype: 'F32', shape: [1] },
      { name: 'i', dtype: 'I64', shape: [] },
      { name: 'h', dtype: 'BF16', shape: [0, 4] },
    ];
    const order: string[] = [];
    const written = await writeSafetensors(path, entries, { format: 'pt' }, async (entry, sink) => {
      order.push(entry.name);
      await sink.write(new Uint8Array(sink.bytes).fill(order.length));
    });
    expect(order).toEqual(['i', 'b', '～', '😀', 'h', 'a']);
    const text =
      '{"__metadata__":{"format":"pt"},"i":{"dtype":"I64","shape":[],"data_offsets":[0,8]},' +
      '"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},' +
      '"～":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},' +
      '"😀":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},' +
      '"h":{"dtype":"BF16","shape":[0,4],"data_offsets":[20,20]},' +
      '"a":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}}';
    const padded = Buffer.from(text + ' '.repeat(7));
    const header = padded.subarray(0, Math.ceil(Buffer.byteLength(text) / 8) * 8);
    const data = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 6, 6, 6];
    const file = await readFile(path);
    expect(file.equals(rawFile(header, Uint8Array.from(data)))).toBe(true);
    expect(written).toEqual({ path, sizeBytes: file.length });
  });

  it('streams chunks of all sizes, from shared memory, that are reused at once', async () => {
    const path = join(await temporaryFolder(), 'out.safetensors');
    const entries = [u8('a', 3_000_000), u8('b', 10), u8('c', 1_048_576)];
    const chunk = new Uint8Array(new SharedArrayBuffer(1_400_000));
    await writeSafetensors(path, entries, undefined, async ({ name }, sink) => {
      const step = { a: 1_400_000, b: 1, c: 700_000 }[name]!;
      for (let at = 0; at < sink.bytes; at += step) {
        const piece = chunk.subarray(0, Math.min(step, sink.bytes - at));
        for (let i = 0; i < piece.length; i++) piece[i] = (at + i) % 251;
        await sink.write(piece);
        piece.fill(255);
      }
    });
    const { tensors } = await openLocalCheckpoint(path);
    const file = await readFile(path);
    for (const { offset, bytes } of tensors) {
      const wrong = file.subarray(offset, offset + bytes).findIndex((byte, i) => byte !== i % 251);
      expect(wrong).toBe(-1);
    }
  });

  it('writes a file without tensors', async () => {
    const path = join(await temporaryFolder(), 'out.safetensors');
    await writeSafetensors(path, [], {}, zeros);
    expect((await readFile(path)).equals(rawFile('{}      '))).toBe(true);
  });

  it('replaces an existing file at the end and not before', async () => {
    const folder = await folderOf({ 'out.safetensors': 'before' });
    const path = join(folder, 'out.safetensors');
    await writeSafetensors(path, [u8('a', 4)], undefined, async (entry, sink) => {
      expect(await readFile(path, 'utf8')).toBe('before');
      await zeros(entry, sink);
    });
    expect((await openLocalCheckpoint(path)).tensors).toHaveLength(1);
    expect(await readdir(folder)).toEqual(['out.safetensors']);
  });

  it('leaves nothing behind when aborted in the middle, even by a producer that hangs', async () => {
    const folder = await folderOf({ 'out.safetensors': 'before' });
    const path = join(folder, 'out.safetensors');
    const controller = new AbortController();
    const entries = [u8('a', 2_000_000), u8('b', 2_000_000)];
    const write = writeSafetensors(
      path,
      entries,
      undefined,
      async (entry, sink) => {
        if (entry.name === 'a') return zeros(entry, sink);
        await sink.write(new Uint8Array(1_500_000));
        expect((await readdir(folder)).length).toBe(2);
        controller.abort();
        await new Promise(() => undefined);
      },
      { signal: controller.signal },
    );
    await expect(write).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toEqual(['out.safetensors']);
    expect(await readFile(path, 'utf8')).toBe('before');
  });

  it('takes no more bytes after an abort', async () => {
    const folder = await temporaryFolder();
    const controller = new AbortController();
    let late: Promise<void> | undefined;
    const write = writeSafetensors(
      join(folder, 'o'),
      [u8('a', 4_000_000)],
      undefined,
      (_, sink) => {
        controller.abort();
        late = sink.write(new Uint8Array(4_000_000));
        return late;
      },
      { signal: controller.signal },
    );
    await expect(write).rejects.toMatchObject({ name: 'AbortError' });
    await expect(late).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('does not begin when already aborted', async () => {
    const folder = await temporaryFolder();
    const write = writeSafetensors(join(folder, 'o'), [], undefined, zeros, {
      signal: AbortSignal.abort(),
    });
    await expect(write).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('passes on what the producer throws and leaves nothing behind', async () => {
    const folder = await temporaryFolder();
    const failure = Object.assign(new Error('worker died'), { syscall: 'read' });
    const write = writeSafetensors(join(folder, 'o'), [u8('a', 1)], undefined, () =>
      Promise.reject(failure),
    );
    await expect(write).rejects.toBe(failure);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ['too few', 3],
    ['too many', 5],
  ])('refuses %s bytes for a tensor', async (_, length) => {
    const folder = await temporaryFolder();
    const write = () =>
      writeSafetensors(join(folder, 'o'), [u8('a', 4)], undefined, (_entry, sink) =>
        sink.write(new Uint8Array(length)),
      );
    await expectRefusal(write, 'TensorInvalidInfo', 'tensor "a"', `${length} bytes were produced`);
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses surplus bytes at once, however many would follow', async () => {
    const folder = await temporaryFolder();
    const write = () =>
      writeSafetensors(join(folder, 'o'), [u8('a', 4)], undefined, async (_, sink) => {
        for (let count = 0; count < 3; count++) await sink.write(new Uint8Array(3));
      });
    await expectRefusal(write, 'TensorInvalidInfo', '6 bytes were produced');
  });

  it('refuses writes that do not wait for one another', async () => {
    const folder = await temporaryFolder();
    const write = writeSafetensors(join(folder, 'o'), [u8('a', 4_000_000)], undefined, (_, sink) =>
      Promise.all([
        sink.write(new Uint8Array(2_000_000)),
        sink.write(new Uint8Array(2_000_000)),
      ]).then(() => undefined),
    );
    await expect(write).rejects.toThrow('must wait for one another');
    expect(await readdir(folder)).toEqual([]);
  });

  it('never replaces an input, under whatever path or link', async () => {
    const folder = await folderOf({ 'in.safetensors': bytesFile({ a: 1 }) });
    const input = join(folder, 'in.safetensors');
    const before = await readFile(input);
    await symlink(input, join(folder, 'soft.safetensors'));
    await link(input, join(folder, 'hard.safetensors'));
    await mkdir(join(folder, 'sub'));
    const paths = [
      input,
      join(folder, 'soft.safetensors'),
      join(folder, 'hard.safetensors'),
      `${folder}/sub/../in.safetensors`,
    ];
    for (const path of paths) {
      const write = () =>
        writeSafetensors(path, [u8('a', 1)], undefined, zeros, { inputs: ['/absent', input] });
      await expectRefusal(write, 'WouldOverwriteInput', path);
    }
    expect(await readFile(input)).toEqual(before);
    expect((await readdir(folder)).length).toBe(4);
  });

  it('notices when the output became a link to an input meanwhile', async () => {
    const folder = await folderOf({ 'in.safetensors': 'input' });
    const input = join(folder, 'in.safetensors');
    const path = join(folder, 'out.safetensors');
    const write = () =>
      writeSafetensors(
        path,
        [u8('a', 1)],
        undefined,
        async (entry, sink) => {
          await symlink(input, path);
          await zeros(entry, sink);
        },
        { inputs: [input] },
      );
    await expectRefusal(write, 'WouldOverwriteInput');
    expect(await readFile(input, 'utf8')).toBe('input');
  });

  it('replaces a link, not the file behind it', async () => {
    const folder = await folderOf({ 'kept.safetensors': 'kept' });
    const path = join(folder, 'out.safetensors');
    await symlink(join(folder, 'kept.safetensors'), path);
    await writeSafetensors(path, [u8('a', 1)], undefined, zeros);
    expect(await readFile(join(folder, 'kept.safetensors'), 'utf8')).toBe('kept');
    expect((await openLocalCheckpoint(path)).tensors).toHaveLength(1);
  });

  it('names a place that cannot be written to, before any tensor is produced', async () => {
    const folder = await folderOf({ file: '' });
    const never = () => Promise.reject(new Error('produced'));
    const write = (path: string) => () => writeSafetensors(path, [u8('a', 1)], undefined, never);
    await expectRefusal(write(join(folder, 'no', 'o')), 'WriteFailed', join(folder, 'no', 'o'));
    await expectRefusal(write(folder), 'WriteFailed', 'this is a folder');
    await expectRefusal(write(join(folder, 'file', 'o')), 'WriteFailed', 'not a folder');
  });

  it.each<[string, TensorEntry[], string]>([
    ['DuplicateName', [u8('a', 1), u8('a', 2)], 'tensor "a"'],
    ['InvalidName', [u8('__metadata__', 1)], 'reserves'],
    ['InvalidName', [u8('\ud800', 1)], 'lone surrogate'],
    ['MisalignedSlice', [{ name: 'a', dtype: 'F4', shape: [3] }], '3 elements of 4 bits'],
    ['ValidationOverflow', [{ name: 'a', dtype: 'U8', shape: [2 ** 40, 2 ** 40] }], '64 bits'],
    ['TensorInvalidInfo', [{ name: 'a', dtype: 'U8', shape: [-1] }], '[-1]'],
    ['TensorInvalidInfo', [{ name: 'a', dtype: 'U8', shape: [1.5] }], '[1.5]'],
  ])('refuses what no reader would take: %s', async (rule, entries, mention) => {
    const folder = await temporaryFolder();
    const write = () => writeSafetensors(join(folder, 'o'), entries, undefined, zeros);
    await expectRefusal(write, rule as 'InvalidName', mention, join(folder, 'o'));
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('writeShardIndex', () => {
  it('is read back together with its shards', async () => {
    const folder = await temporaryFolder();
    const shards = [
      { file: 'm-1.safetensors', tensors: [u8('10', 4), u8('__proto__', 1)] },
      { file: 'm-2.safetensors', tensors: [u8('9', 2)] },
    ];
    for (const { file, tensors } of shards) {
      await writeSafetensors(join(folder, file), tensors, undefined, zeros);
    }
    const path = join(folder, 'model.safetensors.index.json');
    const withBytes = shards.map(({ file, tensors }) => ({
      file,
      tensors: tensors.map(({ name, shape }) => ({ name, bytes: shape[0] })),
    }));
    await writeShardIndex(path, withBytes);
    const text = await readFile(path, 'utf8');
    expect(text).toBe(
      '{\n  "metadata": {\n    "total_size": 7\n  },\n  "weight_map": {\n' +
        '    "10": "m-1.safetensors",\n    "9": "m-2.safetensors",\n' +
        '    "__proto__": "m-1.safetensors"\n  }\n}\n',
    );
    const checkpoint = await openLocalCheckpoint(folder);
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint.tensors.map(({ name }) => name)).toEqual(['10', '__proto__', '9']);
  });

  it('refuses a tensor in two shards and an input as its target', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'i.safetensors.index.json');
    const tensors = [{ name: 'a', bytes: 1 }];
    const twice = () =>
      writeShardIndex(path, [
        { file: 'x', tensors },
        { file: 'y', tensors },
      ]);
    await expectRefusal(twice, 'DuplicateName', '"x"', '"y"');
    await writeFile(path, 'input');
    const over = () => writeShardIndex(path, [{ file: 'x', tensors }], { inputs: [path] });
    await expectRefusal(over, 'WouldOverwriteInput');
  });
});
