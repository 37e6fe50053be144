import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeModelInSteps } from '../../../src/jobs/inspection/describeModel.js';
import { openModel } from '../../../src/model/openModel.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { runInSlices } from '../../../src/storage/slices.js';
import { rawFile } from '../../support/rawSafetensors.js';
import { folderOf } from '../../support/safetensorsFiles.js';

const TENSORS = 100_000;

/** A header of some 8 MB. */
function largeHeader(): Uint8Array {
  const members = Array.from(
    { length: TENSORS },
    (_, i) =>
      `"model.layers.${i >> 8}.mlp.experts.${i & 255}.weight":{"dtype":"U8","shape":[0,${i % 7}],"data_offsets":[0,0]}`,
  );
  return rawFile(`{${members.join(',')}}`);
}

/** Counts the turns that the thread's other work gets until it is told to stop. */
function countTurns() {
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  return () => {
    counting = false;
    return turns;
  };
}

const countingFileSystem = () => {
  let open = 0;
  const fileSystem: typeof localFileSystem = {
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
  return { fileSystem, open: () => open };
};

describe('a header of a hundred thousand tensors', () => {
  it('is opened and described while the thread answers others', async () => {
    const folder = await folderOf({ 'm.safetensors': largeHeader() });
    const stop = countTurns();
    const model = await openModel(join(folder, 'm.safetensors'), localFileSystem);
    const report = await runInSlices(describeModelInSteps(model));
    // Reading takes a handful of turns; each slice of the work gives at least one more.
    expect(stop()).toBeGreaterThan(12);
    expect(model.tensors).toHaveLength(TENSORS);
    expect(report.layers).toHaveLength(Math.ceil(TENSORS / 256));
    expect(report.unlistedTensors).toBeUndefined();
    const [first, second] = model.tensors;
    // Equal texts and shapes are kept once.
    expect(model.tensors[7].shape).toBe(first.shape);
    expect(second).toMatchObject({ layer: 'layers.0', nameInLayer: 'mlp.experts.1.weight' });
  });

  it('can be cancelled in the middle, and leaves nothing open', async () => {
    const folder = await folderOf({ 'm.safetensors': largeHeader() });
    const { fileSystem, open } = countingFileSystem();
    const abort = new AbortController();
    // Once the header has been read, its parsing is the next long thing.
    const cancelWhenRead: typeof localFileSystem = {
      ...fileSystem,
      open: async (path) => {
        const source = await fileSystem.open(path);
        let reads = 0;
        return {
          ...source,
          read: async (offset, target) => {
            await source.read(offset, target);
            if (++reads === 2) setTimeout(() => abort.abort());
          },
        };
      },
    };
    const opening = openModel(join(folder, 'm.safetensors'), cancelWhenRead, abort);
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
    expect(open()).toBe(0);
  });

  it('is listed as far as a page bears, with totals of all and the number of the rest', async () => {
    const folder = await folderOf({ 'm.safetensors': largeHeader() });
    const model = await openModel(join(folder, 'm.safetensors'), localFileSystem);
    const bounds = { tensorCharacters: 100_000, metadataCharacters: 100, files: 10 };
    const report = await runInSlices(describeModelInSteps(model, bounds));
    expect(report.tensors.length).toBeGreaterThan(50);
    expect(report.tensors.length + report.unlistedTensors!).toBe(TENSORS);
    expect(report.layers.map(({ tensors }) => tensors)).toEqual([report.tensors.length]);
    expect(JSON.stringify(report).length).toBeLessThan(200_000);
  });
});

it('metadata of any size is sent to a page in part', async () => {
  const text = {
    long: 'x'.repeat(100_000),
    ...Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => [key, key])),
  };
  const folder = await folderOf({
    'm.safetensors': rawFile(`{"__metadata__":${JSON.stringify(text)}}`),
  });
  const model = await openModel(join(folder, 'm.safetensors'), localFileSystem);
  expect({ ...model.metadata }).toEqual(text);
  const bounds = { tensorCharacters: 1, metadataCharacters: 1000, files: 10 };
  const { metadata } = await runInSlices(describeModelInSteps(model, bounds));
  expect(metadata.long).toMatch(/^x{800,1000}… \(100000 characters\)$/);
  expect(metadata['…']).toMatch(/^and \d more$/);
});
