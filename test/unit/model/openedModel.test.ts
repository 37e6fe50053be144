import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nameLayers } from '../../../src/checkpoint/layers.js';
import { parseFormat } from '../../../src/formats/index.js';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { quantizeToFile } from '../../../src/jobs/node/quantizeToFile.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { openModel } from '../../../src/model/openModel.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { formatCost } from '../../../src/vscode/picks/formatName.js';
import { createPool, SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { compareOn, perplexityOn } from '../../support/jobs.js';
import { countingOpens, memoryCopyOf } from '../../support/memoryFileSystem.js';

const GPT2 = fileURLToPath(new URL('../../fixtures/golden-models/gpt2', import.meta.url));
const untimed = { timings: undefined, model: undefined };

describe('a model is the same wherever its files are', () => {
  it('has its configuration and orientation in memory as on the disk', async () => {
    const pool = await createPool();
    const local = await openLocalModel(GPT2);
    const inMemory = await openModel('memory:/model', await memoryCopyOf(GPT2));
    const request = { formats: ['int4:row', 'int4:g8', 'bnb-nf4'] };
    const [ofLocal, ofMemory] = [
      await compareOn(pool, local, request),
      await compareOn(pool, inMemory, request),
    ];
    expect({ ...ofMemory, ...untimed }).toEqual({ ...ofLocal, ...untimed });
    expect(ofMemory.model.architecture).toBe('GPT2LMHeadModel');
    const [{ bitsPerWeight, summary }] = ofMemory.formats;
    expect(bitsPerWeight.toFixed(3)).toBe('4.469');
    expect(summary.sqnrDb.toFixed(3)).toBe('21.626');
  });

  it('costs in the menu what the report says, transposed weights included', async () => {
    const pool = await createPool();
    const model = await openLocalModel(GPT2);
    const selected = model.tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
    const formats = ['int4:row', 'int4:g24', 'afp4:g128'];
    const report = await compareOn(pool, model, { formats });
    for (const { id, bitsPerWeight, summary } of report.formats) {
      const cost = formatCost(parseFormat(id), selected, 'f16');
      expect(cost).toEqual({ bitsPerWeight, bytes: summary.sizeBytes });
    }
  });
});

describe('opening happens once', () => {
  it('reads config.json once, whatever the job', async () => {
    const pool = await createPool();
    const folder = await temporaryFolder();
    const { fileSystem, opened } = countingOpens(localFileSystem);
    const model = await openModel(SAMPLE, fileSystem);
    await quantizeToFile(pool, model, { format: 'int4', out: join(folder, 'out.safetensors') });
    const perplexity = { windows: 1, context: 32, perLayer: false, cacheFolder: folder };
    await compareOn(pool, model, { formats: ['int4'], perplexity });
    await perplexityOn(pool, model, { formats: [], windows: 1, context: 32 });
    describeModel(model);
    expect(opened.get('config.json')).toBe(1);
    expect(await readdir(folder)).toContain('out.safetensors');
  });

  it('says of each tensor what quantizers do with it, and why', async () => {
    const { tensors } = await openLocalModel(GPT2);
    const of = (name: string) => {
      const { role, quantizedByDefault, notByDefault, notQuantizable, transposed } = tensors.find(
        (tensor) => tensor.name.endsWith(name),
      )!;
      return { role, quantizedByDefault, notByDefault, notQuantizable, transposed };
    };
    expect(of('wte.weight')).toMatchObject({
      role: 'embedding',
      quantizedByDefault: false,
      notByDefault: 'an embedding',
      notQuantizable: undefined,
    });
    expect(of('h.0.ln_1.weight')).toMatchObject({
      role: 'norm',
      notQuantizable: 'one-dimensional',
    });
    expect(of('h.0.mlp.c_fc.weight')).toEqual({
      role: 'other',
      quantizedByDefault: true,
      notByDefault: undefined,
      notQuantizable: undefined,
      transposed: true,
    });
  });
});

describe('layers', () => {
  const placesOf = (names: readonly string[]) => names.map(nameLayers(names));

  it('leave out what all of them share, and nothing that tells them apart', () => {
    expect(placesOf(['model.layers.0.a.weight', 'model.layers.10.b', 'model.norm.weight'])).toEqual(
      [
        { layer: 'layers.0', nameInLayer: 'a.weight' },
        { layer: 'layers.10', nameInLayer: 'b' },
        { layer: '', nameInLayer: 'norm.weight' },
      ],
    );
    expect(
      placesOf(['model.encoder.layers.0.w', 'model.decoder.layers.0.w', 'model.shared.weight']),
    ).toEqual([
      { layer: 'encoder.layers.0', nameInLayer: 'w' },
      { layer: 'decoder.layers.0', nameInLayer: 'w' },
      { layer: '', nameInLayer: 'shared.weight' },
    ]);
  });

  it('are found in time that grows with the names, not faster', () => {
    const names = ['.'.repeat(200_000), `${'a.'.repeat(100_000)}0.w`, '0', '.0.', '5.w'];
    const begin = performance.now();
    expect(placesOf(names).map(({ layer }) => layer.length > 0)).toEqual([
      false,
      true,
      false,
      false,
      true,
    ]);
    expect(performance.now() - begin).toBeLessThan(2000);
  });
});
