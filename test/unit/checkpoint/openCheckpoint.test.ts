import { mkdir, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfigFile } from '../../../src/checkpoint/configFile.js';
import { openCheckpoint } from '../../../src/checkpoint/openCheckpoint.js';
import { makeMemorySource } from '../../../src/storage/byteSource.js';
import type { FileSystem } from '../../../src/storage/fileSystem.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { openSource } from '../../../src/storage/node/openSource.js';
import { openLocalCheckpoint } from '../../support/checkpoints.js';
import { rawFile } from '../../support/rawSafetensors.js';
import {
  bytesFile,
  expectRefusal,
  folderOf,
  temporaryFolder,
} from '../../support/safetensorsFiles.js';

const INDEX = 'model.safetensors.index.json';
const index = (weightMap: Readonly<Record<string, string>>) =>
  JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap });
const names = (tensors: readonly { name: string }[]) => tensors.map(({ name }) => name);

describe('openCheckpoint on files and folders', () => {
  it('opens a single file by path or by its folder', async () => {
    const folder = await folderOf({
      'model.safetensors': bytesFile({ b: 3, a: 2 }, { format: 'pt' }),
    });
    const path = join(folder, 'model.safetensors');
    const checkpoint = await openLocalCheckpoint(folder);
    expect(await openLocalCheckpoint(path)).toEqual(checkpoint);
    expect(checkpoint).toMatchObject({ path, folder, problems: [], metadata: { format: 'pt' } });
    expect(checkpoint.files).toMatchObject([{ name: 'model.safetensors', path }]);
    expect(names(checkpoint.tensors)).toEqual(['b', 'a']);
    // Plain data that can cross to another process.
    const data = { ...checkpoint, fileSystem: undefined };
    expect(structuredClone(data)).toEqual(data);
  });

  it('reads the header of a file that is far longer than one read', async () => {
    const tensors = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`tensor.${i}`, 1]));
    const file = bytesFile(tensors);
    expect(file.length).toBeGreaterThan(2 * 64 * 1024);
    const checkpoint = await openLocalCheckpoint(await folderOf({ 'x.safetensors': file }));
    expect(names(checkpoint.tensors)).toEqual(Object.keys(tensors));
  });

  it.each([
    ['the index before all', [INDEX, 'model.safetensors', 'other.safetensors'], INDEX],
    [
      'model.safetensors before others',
      ['model.safetensors', 'other.safetensors'],
      'model.safetensors',
    ],
    [
      'what the configuration of an adapter is about',
      ['adapter_config.json', 'adapter_model.safetensors', 'other.safetensors'],
      'adapter_model.safetensors',
    ],
    ['the only file', ['adapter.safetensors', 'config.json'], 'adapter.safetensors'],
    [
      'the only index',
      ['d.safetensors.index.json', 'other.safetensors'],
      'd.safetensors.index.json',
    ],
  ])('prefers %s in a folder', async (_, files, chosen) => {
    const content = (name: string) =>
      name.endsWith('.index.json') ? index({ t: 'other.safetensors' }) : bytesFile({ t: 1 });
    const shards = { 'other.safetensors': bytesFile({ t: 1 }) };
    const given = Object.fromEntries(files.map((name) => [name, content(name)]));
    const folder = await folderOf(chosen.endsWith('.json') ? { ...shards, ...given } : given);
    expect((await openLocalCheckpoint(folder)).path).toBe(join(folder, chosen));
  });

  it('names the candidates where a folder leaves a choice', async () => {
    const folder = await folderOf({ 'a.safetensors': '', 'b.safetensors': '' });
    const open = () => openLocalCheckpoint(folder);
    await expectRefusal(open, 'AmbiguousFolder', folder, '"a.safetensors", "b.safetensors"');
  });

  it('names weights of other formats in a folder without safetensors', async () => {
    const folder = await folderOf({ 'pytorch_model.bin': 'x', 'config.json': '{}' });
    await expectRefusal(() => openLocalCheckpoint(folder), 'NoCheckpoint', '"pytorch_model.bin"');
    await expectRefusal(
      () => openLocalCheckpoint(join(folder, 'no')),
      'FileNotFound',
      join(folder, 'no'),
    );
  });

  it('opens a file of any name, and says what it really is', async () => {
    const folder = await folderOf({ blob: bytesFile({ a: 1 }), 'config.json': '{"a": 1}' });
    expect(names((await openLocalCheckpoint(join(folder, 'blob'))).tensors)).toEqual(['a']);
    const path = join(folder, 'config.json');
    await expectRefusal(() => openLocalCheckpoint(path), 'HeaderTooLarge', path, 'a JSON text');
  });

  it('tells the folder of a model in a cache from that of its files', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'snapshots', '0123abc'), { recursive: true });
    const snapshot = join(folder, 'snapshots', '0123abc');
    await expectRefusal(() => openLocalCheckpoint(folder), 'NoCheckpoint', `"${snapshot}"`);
  });

  it.each([
    [
      'version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1234\n',
      'git lfs pull',
      '1234',
    ],
    ['version https://git-lfs.github.com/spec/v1\r\noid sha256:ab\r\nsize 1234\r\n', '1234 bytes'],
    ['# xet version 0\nfilesize = 1\n', 'Xet'],
    ['/annex/objects/SHA256E-s1--ab\n', 'git annex get'],
    ['../../blobs/aaaa1111', 'the text of a link'],
  ])(
    'knows what stands for a file that was not fetched, whatever its name: %j',
    async (text, ...mentions) => {
      const folder = await folderOf({ [INDEX]: text, 'config.json': text, other: text });
      await expectRefusal(() => openLocalCheckpoint(folder), 'NotDownloaded', INDEX, ...mentions);
      const open = () => openLocalCheckpoint(join(folder, 'other'));
      await expectRefusal(open, 'HeaderTooLarge', join(folder, 'other'), ...mentions);
      const { problem } = await readConfigFile(folder, localFileSystem);
      expect(problem).toContain(join(folder, 'config.json'));
      for (const mention of mentions) expect(problem).toContain(mention);
    },
  );

  it.skipIf(process.platform === 'win32')('follows links, as model caches lay them', async () => {
    const blobs = await folderOf({ f00: bytesFile({ a: 1 }) });
    const folder = await folderOf({ [INDEX]: index({ a: 'one.safetensors' }) });
    await symlink(join(blobs, 'f00'), join(folder, 'one.safetensors'));
    const checkpoint = await openLocalCheckpoint(folder);
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint.files[0].path).toBe(join(folder, 'one.safetensors'));
  });
});

describe('openCheckpoint on shards', () => {
  it('puts shards together in natural order', async () => {
    const folder = await folderOf({
      [INDEX]: index({ c: 'm-10.safetensors', a: 'm-2.safetensors', b: 'm-2.safetensors' }),
      'm-2.safetensors': bytesFile({ b: 1, a: 2 }, { format: 'pt', part: '2' }),
      'm-10.safetensors': bytesFile({ c: 3 }, { format: 'pt', part: '10' }),
    });
    const checkpoint = await openLocalCheckpoint(join(folder, INDEX));
    expect(checkpoint.problems).toEqual([]);
    expect(checkpoint.tensors.map(({ name, file }) => [name, file])).toEqual([
      ['b', 'm-2.safetensors'],
      ['a', 'm-2.safetensors'],
      ['c', 'm-10.safetensors'],
    ]);
    expect({ ...checkpoint.metadata }).toEqual({
      format: 'pt',
      'part (m-2.safetensors)': '2',
      'part (m-10.safetensors)': '10',
    });
  });

  it('shows what is there when shards are missing, damaged or incomplete', async () => {
    const folder = await folderOf({
      [INDEX]: index({
        a: '1.safetensors',
        gone: '1.safetensors',
        b: '2.safetensors',
        c: '3.safetensors',
        d: '4.safetensors',
      }),
      '1.safetensors': bytesFile({ a: 1, extra: 1 }),
      '3.safetensors': bytesFile({ c: 100 }).subarray(0, -1),
      '4.safetensors': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
    });
    const { tensors, files, problems, notes, absent } = await openLocalCheckpoint(folder);
    expect(names(tensors)).toEqual(['a', 'extra']);
    expect(absent).toEqual(new Set(['gone', 'b', 'c', 'd']));
    expect(notes.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^1\.safetensors: .*"extra".*\(TensorNotInIndex\)$/),
    ]);
    expect(names(files)).toEqual(['1.safetensors']);
    const expected: [string, string, string][] = [
      ['1.safetensors', 'TensorNotInShard', '"gone"'],
      ['2.safetensors', 'MissingShard', 'tensor "b"'],
      ['3.safetensors', 'MetadataIncompleteBuffer', '1 of 100 bytes'],
      ['4.safetensors', 'HeaderTooLarge', 'Git LFS pointer'],
    ];
    expect(problems.map(({ file }) => file)).toEqual(expected.map(([file]) => file));
    expected.forEach(([file, rule, mention], i) => {
      expect(problems[i].message).toContain(file);
      expect(problems[i].message).toContain(rule);
      expect(problems[i].message).toContain(mention);
    });
  });

  it('tells of the first shards that are missing or damaged, and counts the others', async () => {
    const shards = Array.from({ length: 30 }, (_, i) => `${i}.safetensors`);
    const folder = await folderOf({
      [INDEX]: index(
        Object.fromEntries(
          shards.flatMap((shard, i) => [
            [`a${i}`, shard],
            [`b${i}`, shard],
          ]),
        ),
      ),
      ...Object.fromEntries(shards.slice(0, 8).map((shard) => [shard, 'damaged'])),
      '8.safetensors': bytesFile({ a8: 1, b8: 1 }),
    });
    const { problems, tensors } = await openLocalCheckpoint(folder);
    expect(names(tensors)).toEqual(['a8', 'b8']);
    const messages = problems.map(({ message }) => message);
    expect(messages).toHaveLength(12);
    expect(messages[0]).toMatch(/^0\.safetensors: .*\(HeaderTooSmall\)$/);
    expect(messages[5]).toMatch(/^9\.safetensors: .*missing, and with it tensors "a9", "b9"/);
    expect(messages.slice(10)).toEqual([
      `${INDEX}: 16 more shards are missing, and with them 32 tensors (MissingShard)`,
      `${INDEX}: 3 more shards are damaged (HeaderTooSmall)`,
    ]);
  });

  it('looks into the folder once where an index names thousands of shards', async () => {
    const shards = Array.from({ length: 3000 }, (_, i) => [`t${i}`, `Shard-${i}.safetensors`]);
    const folder = await folderOf({
      [INDEX]: index(Object.fromEntries(shards)),
      'Shard-7.safetensors': bytesFile({ t7: 1 }),
    });
    const asked: string[] = [];
    const fileSystem: FileSystem = {
      ...localFileSystem,
      kind: (path) => {
        asked.push(path);
        return localFileSystem.kind(path);
      },
      // As a disk that does not tell capitals from small letters lists what it holds.
      list: async (path) => (await localFileSystem.list(path)).map((name) => name.toLowerCase()),
    };
    const { tensors, problems } = await openCheckpoint(join(folder, INDEX), fileSystem);
    expect(names(tensors)).toEqual(['t7']);
    expect(problems.at(-1)!.message).toContain('2994 more shards are missing');
    expect(asked.length).toBeLessThan(10);
  });

  it('is an error when no shard can be opened', async () => {
    const twoGone = await folderOf({ [INDEX]: index({ a: 'x.safetensors', b: 'y.safetensors' }) });
    await expectRefusal(
      () => openLocalCheckpoint(twoGone),
      'MissingShard',
      INDEX,
      '"x.safetensors", "y',
    );
    const folder = await folderOf({
      [INDEX]: index({ a: 'p.bin', b: 'q' }),
      'p.bin': 'PK\x03\x04aaaaaaaa',
    });
    await expectRefusal(() => openLocalCheckpoint(folder), 'HeaderTooLarge', INDEX, 'p.bin', 'zip');
  });

  it('takes of a tensor in two shards the copy that the index names, and says so', async () => {
    for (const named of ['1.safetensors', '2.safetensors']) {
      const folder = await folderOf({
        [INDEX]: index({ a: named, b: '2.safetensors', c: '1.safetensors' }),
        '1.safetensors': bytesFile({ a: 1, c: 1 }),
        '2.safetensors': bytesFile({ a: 2, b: 1 }),
      });
      const { tensors, problems, absent, notes } = await openLocalCheckpoint(folder);
      expect(tensors.filter(({ name }) => name === 'a')).toMatchObject([{ file: named }]);
      expect(tensors).toHaveLength(3);
      expect({ problems, absent }).toEqual({ problems: [], absent: new Set() });
      const other = named.startsWith('1') ? '2.safetensors' : '1.safetensors';
      expect(notes).toHaveLength(1);
      expect(notes[0]).toMatchObject({ file: other });
      expect(notes[0].message).toMatch(/1 tensor is superseded.*"a"/);
    }
  });

  it('counts a tensor as lost whose shard is missing, though an older copy lies elsewhere', async () => {
    const folder = await folderOf({
      [INDEX]: index({ a: '1.safetensors', b: '2.safetensors' }),
      '2.safetensors': bytesFile({ a: 2, b: 1 }),
    });
    expect((await openLocalCheckpoint(folder)).absent).toEqual(new Set(['a']));
  });

  it('takes a tensor from where it lies, where the shard that the index names lacks it', async () => {
    const folder = await folderOf({
      [INDEX]: index({ a: '1.safetensors', b: '2.safetensors', c: '1.safetensors' }),
      '1.safetensors': bytesFile({ c: 1 }),
      '2.safetensors': bytesFile({ a: 2, b: 1 }),
    });
    const { problems, absent, notes } = await openLocalCheckpoint(folder);
    expect({ problems, absent }).toEqual({ problems: [], absent: new Set() });
    expect(notes[0].message).toContain('"a"');
  });

  it('refuses a tensor that lies in two shards, and of which the index says nothing', async () => {
    const folder = await folderOf({
      [INDEX]: index({ c: '1.safetensors', b: '2.safetensors' }),
      '1.safetensors': bytesFile({ a: 1, c: 1 }),
      '2.safetensors': bytesFile({ a: 1, b: 1 }),
    });
    const open = () => openLocalCheckpoint(folder);
    await expectRefusal(open, 'DuplicateName', '"a"', '"1.safetensors"', '"2.safetensors"', INDEX);
  });

  it.each([
    '/etc/passwd',
    '\\\\server\\share\\x',
    'C:\\x.safetensors',
    'c:x.safetensors',
    '..',
    '.',
    '../x.safetensors',
    '..\\x.safetensors',
    'sub/x.safetensors',
    './x.safetensors',
    'sub\\..\\..\\x',
    'x\0.safetensors',
    '',
  ])('refuses the shard path %j', async (shard) => {
    const folder = await folderOf({ [INDEX]: index({ 'some.tensor': shard }) });
    const open = () => openLocalCheckpoint(folder);
    await expectRefusal(open, 'PathLeavesFolder', join(folder, INDEX), '"some.tensor"');
  });

  it.each([
    ['', 'the end of the text'],
    ['[]', 'expected an object'],
    ['{}', '"weight_map" is missing'],
    ['{"weight_map":{}}', 'names no tensor'],
    ['{"weight_map":[]}', 'expected an object'],
    ['{"weight_map":{"a":1}}', 'expected a string'],
    ['{"weight_map":{"a":"x"},}', 'trailing comma'],
    ['{"weight_map":{"a":"x"},"weight_map":{"a":"x"}}', 'twice'],
    ['\ufeff{"weight_map":{"a":"x"}}', 'byte-order mark'],
  ])('refuses the index %j', async (text, mention) => {
    const folder = await folderOf({ [INDEX]: text });
    await expectRefusal(() => openLocalCheckpoint(folder), 'InvalidIndex', INDEX, mention);
  });

  it('refuses an index that lists a tensor twice, or is not UTF-8', async () => {
    const twice = await folderOf({ [INDEX]: '{"weight_map":{"a":"x","\\u0061":"y"}}' });
    await expectRefusal(() => openLocalCheckpoint(twice), 'DuplicateName', '"a"', '"x"', '"y"');
    const bytes = Buffer.from('{"weight_map":{"\xff":"x"}}', 'latin1');
    const invalid = await folderOf({ [INDEX]: bytes });
    await expectRefusal(() => openLocalCheckpoint(invalid), 'InvalidIndex', 'UTF-8');
  });

  it('takes tensor names that objects have of themselves', async () => {
    const shard = rawFile('{"__proto__":["U8",[1],[0,1]],"toString":["U8",[1],[1,2]]}', 2);
    const folder = await folderOf({
      [INDEX]: '{"weight_map":{"__proto__":"s","toString":"s"}}',
      s: shard,
    });
    const { tensors, problems } = await openLocalCheckpoint(folder);
    expect(problems).toEqual([]);
    expect(names(tensors)).toEqual(['__proto__', 'toString']);
  });
});

const shard = (number: number, of: number, stem = 'model', digits = 5) =>
  `${stem}-${String(number).padStart(digits, '0')}-of-${String(of).padStart(digits, '0')}.safetensors`;

describe('shards without an index', () => {
  it.each([
    ['from 1', [1, 2, 3], 5],
    ['from 0', [0, 1, 2], 5],
    ['without zeros in front', [1, 2, 3], 1],
  ])('are one model, numbered %s', async (_, numbers, digits) => {
    const files = numbers.map((each) => shard(each, 3, 'any', digits));
    const folder = await folderOf(
      Object.fromEntries(files.map((name, at) => [name, bytesFile({ [`t${at}`]: 1 })])),
    );
    const checkpoint = await openLocalCheckpoint(folder);
    expect(checkpoint).toMatchObject({ path: folder, folder, problems: [], notes: [] });
    expect(names(checkpoint.files)).toEqual(files);
    expect(names(checkpoint.tensors)).toEqual(['t0', 't1', 't2']);
  });

  it('leave problems where some are missing or damaged; what they held is not known', async () => {
    const folder = await folderOf({
      [shard(1, 4)]: bytesFile({ a: 1 }),
      [shard(3, 4)]: 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
    });
    const { tensors, problems, absent } = await openLocalCheckpoint(folder);
    expect(names(tensors)).toEqual(['a']);
    expect(absent).toBeUndefined();
    const messages = problems.map(({ message }) => message);
    expect(messages[0]).toBe(
      `${shard(2, 4)}: this shard is missing, and with it its tensors (MissingShard)`,
    );
    expect(messages[1]).toContain('Git LFS pointer');
    expect(messages[2]).toContain(`${shard(4, 4)}: this shard is missing`);
  });

  it('are not put together where two hold one tensor', async () => {
    const file = bytesFile({ a: 1 });
    const folder = await folderOf({ [shard(1, 2)]: file, [shard(2, 2)]: file });
    await expectRefusal(() => openLocalCheckpoint(folder), 'DuplicateName', '"a"', shard(2, 2));
  });

  it.each([
    ['consolidated.safetensors', 'another copy of the weights'],
    [shard(1, 2, 'consolidated'), 'another copy of the weights'],
    ['adapter_model.safetensors', 'not part of this model'],
    [shard(1, 3), 'not part of this model'],
  ])('are preferred to %s, which is named', async (other, mention) => {
    const folder = await folderOf({
      [shard(1, 2)]: bytesFile({ a: 1 }),
      [shard(2, 2)]: bytesFile({ b: 1 }),
      [other]: bytesFile({ c: 1 }),
    });
    const { files, notes } = await openLocalCheckpoint(folder);
    expect(names(files)).toEqual([shard(1, 2), shard(2, 2)]);
    expect(notes).toHaveLength(1);
    expect(notes[0].message).toContain(`"${other}"`);
    expect(notes[0].message).toContain(mention);
  });

  it('leave a choice where there are two models of them', async () => {
    const files = ['a', 'b'].flatMap((stem) => [shard(1, 2, stem), shard(2, 2, stem)]);
    const folder = await folderOf(Object.fromEntries(files.map((name) => [name, ''])));
    const open = () => openLocalCheckpoint(folder);
    await expectRefusal(open, 'AmbiguousFolder', '"a-*-of-00002.safetensors"');
  });

  it('say of one that is opened alone which it is, and what the whole is', async () => {
    const folder = await folderOf({ [shard(2, 5)]: bytesFile({ a: 1 }) });
    const path = join(folder, shard(2, 5));
    const { loneShard, notes } = await openLocalCheckpoint(path);
    expect(loneShard).toContain('shard 2 of 5');
    expect(loneShard).toContain(`open the whole model: ${folder}`);
    expect(notes).toEqual([{ file: shard(2, 5), message: loneShard }]);
    const zero = await folderOf({
      [shard(0, 5)]: bytesFile({ a: 1 }),
      [INDEX]: index({ a: shard(0, 5) }),
    });
    const first = await openLocalCheckpoint(join(zero, shard(0, 5)));
    expect(first.wholeModel).toBe(join(zero, INDEX));
    expect(first.loneShard).toContain('shard 1 of 5');
    expect(first.loneShard).toContain(join(zero, INDEX));
    const only = await folderOf({ [shard(1, 1)]: bytesFile({ a: 1 }) });
    expect(await openLocalCheckpoint(only)).toMatchObject({ notes: [], files: [{}] });
  });
});

describe('the files of a checkpoint, opened anew', () => {
  it('reads weights at the offsets the checkpoint gives', async () => {
    const bytes = rawFile('{"a":["U8",[2],[0,2]],"b":["U8",[3],[2,5]]}', Buffer.from('ABxyz'));
    const { files, tensors } = await openLocalCheckpoint(
      await folderOf({ 'm.safetensors': bytes }),
    );
    const source = await openSource(files[0].source);
    const target = new Uint8Array(tensors[1].bytes);
    await source.read(tensors[1].offset, target);
    await source.close();
    expect(Buffer.from(target).toString()).toBe('xyz');
  });

  it('refuses a file that has another size than when its header was read', async () => {
    const folder = await folderOf({ 'm.safetensors': bytesFile({ a: 10 }) });
    const { files } = await openLocalCheckpoint(folder);
    await truncate(files[0].path, 12);
    await expectRefusal(() => openSource(files[0].source), 'FileChanged', files[0].path, '12 now');
  });
});

describe('a file system brought by the host', () => {
  const virtual = (files: Readonly<Record<string, Uint8Array>>) => {
    const log = { reads: [] as number[], open: 0 };
    const system: FileSystem = {
      isLocal: false,
      version: async () => undefined,
      kind: async (path) => {
        if (path in files) return 'file';
        return Object.keys(files).some((name) => name.startsWith(`${path}/`))
          ? 'folder'
          : undefined;
      },
      open: async (path) => {
        const source = makeMemorySource(path, files[path]);
        log.open++;
        return {
          ...source,
          read: (offset, target) => {
            log.reads.push(target.length);
            return source.read(offset, target);
          },
          close: async () => void log.open--,
        };
      },
      read: async (path) => files[path],
      list: async (folder) =>
        Object.keys(files)
          .filter((path) => path.startsWith(`${folder}/`))
          .map((path) => path.slice(folder.length + 1)),
      join: (folder, name) => `${folder}/${name}`,
      split: (path) => {
        const cut = path.lastIndexOf('/');
        return { folder: path.slice(0, cut), name: path.slice(cut + 1) };
      },
    };
    return { system, log };
  };

  it('serves a folder of shards; only headers are read and nothing stays open', async () => {
    const { system, log } = virtual({
      [`vfs://m/${INDEX}`]: Buffer.from(index({ a: '1.safetensors', b: '2.safetensors' })),
      'vfs://m/1.safetensors': bytesFile({ a: 50_000_000 }),
      'vfs://m/2.safetensors': bytesFile({ b: 5 }).subarray(0, -1),
    });
    const { files, tensors, problems } = await openCheckpoint('vfs://m', system);
    expect(files.map(({ path }) => path)).toEqual(['vfs://m/1.safetensors']);
    expect(names(tensors)).toEqual(['a']);
    expect(problems).toHaveLength(1);
    expect(log.open).toBe(0);
    expect(Math.max(...log.reads)).toBeLessThanOrEqual(64 * 1024);
  });

  it('has its own errors told as errors of the file', async () => {
    const { system } = virtual({ 'vfs://m/x.safetensors': bytesFile({ a: 1 }) });
    const broken: FileSystem = {
      ...system,
      open: () => Promise.reject(new Error('offline\nat line 2')),
    };
    const open = () => openCheckpoint('vfs://m/x.safetensors', broken);
    await expectRefusal(open, 'ReadFailed', 'vfs://m/x.safetensors', 'offline');
  });

  it('is left with nothing open after a refusal', async () => {
    const folder = await folderOf({
      'x.safetensors': 'not one',
      'y.safetensors': bytesFile({ a: 1 }),
    });
    let open = 0;
    const counting: FileSystem = {
      ...localFileSystem,
      open: async (path) => {
        const source = await localFileSystem.open(path);
        open++;
        return {
          name: source.name,
          size: source.size,
          ref: source.ref,
          read: (offset, target) => source.read(offset, target),
          close: () => source.close().then(() => void open--),
        };
      },
    };
    const path = join(folder, 'x.safetensors');
    await expectRefusal(() => openCheckpoint(path, counting), 'HeaderTooSmall', path);
    expect(open).toBe(0);
    const { files } = await openCheckpoint(join(folder, 'y.safetensors'), counting);
    await truncate(files[0].path, 1);
    await expectRefusal(() => openSource(files[0].source), 'FileChanged');
    expect(open).toBe(0);
  });
});

describe('readConfigFile', () => {
  it('reads config.json, with the bare words that Python writes', async () => {
    const text =
      '{"model_type":"x","limit":[0.0,Infinity,-Infinity],"n":NaN,"s":"NaN, \\"Infinity\\""}';
    const folder = await folderOf({ 'config.json': text });
    expect((await readConfigFile(folder, localFileSystem)).config).toEqual({
      model_type: 'x',
      limit: [0, Infinity, -Infinity],
      n: 'NaN',
      s: 'NaN, "Infinity"',
    });
  });

  it('is silent about a missing one and clear about a malformed one', async () => {
    expect(await readConfigFile(await temporaryFolder(), localFileSystem)).toEqual({});
    for (const text of ['{"a":', '[]', 'null', '', Buffer.from([0x7b, 0xff, 0x7d])]) {
      const folder = await folderOf({ 'config.json': text });
      const result = await readConfigFile(folder, localFileSystem);
      expect(result.config).toBeUndefined();
      expect(result.problem).toMatch(/^[^\n]*config\.json: [^\n]+$/);
    }
  });
});
