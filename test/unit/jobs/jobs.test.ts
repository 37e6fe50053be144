import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { readGroupRanges } from '../../../src/jobs/inspection/groupRanges.js';
import { readTensorDetails } from '../../../src/jobs/inspection/tensorStatistics.js';
import { quantizeToFile } from '../../../src/jobs/node/quantizeToFile.js';
import { quantizeChunk } from '../../../src/kernels/reference/quantizeChunk.js';
import { foldLanes, RAW } from '../../../src/kernels/types.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { formatComparisonCsv, formatReportJson } from '../../../src/reports/present.js';
import {
  f32Tensor,
  SAMPLE,
  syntheticWeights,
  temporaryFolder,
  writeCheckpoint,
} from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { compareOn } from '../../support/jobs.js';
import { floatsOf, readRawSafetensors } from '../../support/rawSafetensors.js';

const DOWN_PROJ = 'model.layers.0.mlp.down_proj.weight';

/** Weights of a BF16 tensor, read without the product's code. */
function sampleWeights(name: string): Float32Array {
  const { bytes } = readRawSafetensors(join(SAMPLE, 'model.safetensors')).get(name)!;
  const codes = new Uint16Array(bytes.buffer);
  const words = Uint32Array.from(codes, (code) => code << 16);
  return new Float32Array(words.buffer);
}

describe('compare', () => {
  it('selects linear weights and reports the errors of plain arithmetic', async () => {
    const pool = await sharedPool();
    const checkpoint = await openLocalModel(SAMPLE);
    const report = await compareOn(pool, checkpoint, { formats: ['int4', 'dint4'] });
    expect(report.model).toMatchObject({
      architecture: 'LlamaForCausalLM',
      parameters: 3672320,
      quantizableParameters: 3145728,
      notes: [
        'Left out of 3,672,320 weights, since they are not linear: 1 embedding (524,288), 9 one-dimensional (2,304).',
      ],
      dtype: 'BF16',
    });
    const [int4, dint4] = report.formats;
    expect(int4.id).toBe('int4-asym:g128');
    expect(int4.bitsPerWeight).toBe(4.15625);
    expect(int4.summary.sizeBytes).toBe(1634304);
    expect(int4.tensors).toHaveLength(28);
    expect(int4.tensors.every(({ name }) => /_proj\.weight$/.test(name))).toBe(true);
    expect(dint4).toMatchObject({ approximate: true, reconstructed: true });
    expect(int4).toMatchObject({ approximate: false, reconstructed: false });
    expect(dint4.notes.join()).toMatch(/reconstructed/);

    // One tensor by hand, from the definition: range, f16 scale, zero point, codes.
    const weights = sampleWeights(DOWN_PROJ);
    const output = new Float32Array(weights.length);
    const format = parseFormat('int4');
    const shape = { rows: 256, columns: 768 };
    quantizeChunk({ format, scaleDtype: 'f16', shape, weights, output });
    let squaredError = 0;
    let squaredWeight = 0;
    weights.forEach((weight, i) => {
      squaredError += (output[i] - weight) ** 2;
      squaredWeight += weight ** 2;
    });
    const tensor = int4.tensors.find(({ name }) => name === DOWN_PROJ)!;
    expect(tensor.mse / (squaredError / weights.length)).toBeCloseTo(1, 12);
    expect(tensor.sqnrDb).toBeCloseTo(10 * Math.log10(squaredWeight / squaredError), 10);
  });

  it('splits rows that are longer than a chunk, and gives the same as whole rows', async () => {
    const pool = await sharedPool();
    const columns = 530_000;
    const weights = syntheticWeights(columns, 7);
    const path = await writeCheckpoint({ 'a.weight': f32Tensor([1, columns], weights) });
    const checkpoint = await openLocalModel(path);
    const { formats } = await compareOn(pool, checkpoint, {
      formats: ['int4:g96', 'afp4:g100'],
      tensorGlobs: ['a.*'],
    });
    for (const [index, name] of ['int4:g96', 'afp4:g100'].entries()) {
      const format = parseFormat(name);
      const shape = { rows: 1, columns };
      const raw = quantizeChunk({ format, scaleDtype: 'f16', shape, weights });
      const expected = foldLanes(raw, RAW.error);
      expect(formats[index].summary.mse / (expected / weights.length)).toBeCloseTo(1, 11);
    }
  });

  it('warns of non-finite weights, bad scales and one-signed groups', async () => {
    const pool = await sharedPool();
    const weights = syntheticWeights(4 * 128).map(Math.abs);
    weights[200] = NaN;
    weights[300] = -Infinity;
    for (let i = 384; i < 512; i++) weights[i] *= 1e-9;
    const path = await writeCheckpoint({ 'a.weight': f32Tensor([4, 128], weights) });
    const { formats } = await compareOn(pool, await openLocalModel(path), {
      formats: ['int4-sym'],
    });
    const notes = formats[0].notes.join('\n');
    expect(notes).toMatch(/2 weights are NaN or infinite, the first at index 200 of "a\.weight"/);
    expect(notes).toMatch(/1 of 4 groups have a scale that f16 cannot hold/);
    expect(notes).toMatch(/4 of 4 groups have weights of one sign only/);
    expect(formats[0].tensors[0].nonFinite).toBe(2);
    expect(Number.isFinite(formats[0].tensors[0].mse)).toBe(true);
  });

  it.each([
    [['nothing.*'], undefined, /no tensor matches nothing\.\*/],
    [undefined, ['model.norm.weight'], /cannot be quantized: one-dimensional/],
    [undefined, ['nope'], /there is no tensor "nope"/],
  ])('refuses a selection %j %j', async (tensorGlobs, tensors, message) => {
    const pool = await sharedPool();
    const job = compareOn(pool, await openLocalModel(SAMPLE), {
      formats: ['int4'],
      tensorGlobs,
      tensors,
    });
    await expect(job).rejects.toThrow(message);
  });

  it('writes hostile names so that no spreadsheet or terminal obeys them, and infinities', async () => {
    const pool = await sharedPool();
    const name = '=HYPERLINK("x"),\n\x1b[31m\x9b\u202e.weight';
    const path = await writeCheckpoint({ [name]: f32Tensor([2, 64], new Float32Array(128)) });
    const report = await compareOn(pool, await openLocalModel(path), { formats: ['int4'] });
    const shown = '\\u{a}\\u{1b}[31m\\u{9b}\\u{202e}.weight';
    expect(formatComparisonCsv(report)).toContain(`"'=HYPERLINK(""x""),${shown}",2x64,128`);
    const json = formatReportJson(report);
    for (const unseen of '\x1b\x9b\u202e') expect(json).not.toContain(unseen);
    const { summary, tensors } = JSON.parse(json).formats[0];
    expect([summary.sqnrDb, tensors[0].name]).toEqual(['Infinity', name]);
  });
});

describe('inspect', () => {
  it('groups tensors by layer', async () => {
    const report = describeModel(await openLocalModel(SAMPLE));
    const tensor = report.tensors.find(({ name }) => name === DOWN_PROJ)!;
    expect(tensor).toMatchObject({
      layer: 'layers.0',
      nameInLayer: 'mlp.down_proj.weight',
      quantizedByDefault: true,
    });
    const norm = report.tensors.find(({ name }) => name === 'model.norm.weight');
    expect(norm).toMatchObject({ layer: '', nameInLayer: 'norm.weight' });
    expect(report.configSummary).toMatch(/4 layers · hidden 256 · 8 heads, 4 KV/);
  });

  it('totals each layer, in counting order, and says what quantizing it takes', async () => {
    const matrix = () => f32Tensor([2, 8], new Float32Array(16));
    const vector = () => f32Tensor([8], new Float32Array(8));
    const path = await writeCheckpoint({
      'h.10.fc.weight': matrix(),
      'h.10.fc.bias': vector(),
      'h.2.wte.weight': matrix(),
      'h.2.ln.weight': vector(),
      'wte.weight': matrix(),
    });
    const { layers } = describeModel(await openLocalModel(path));
    const totals = { tensors: 2, elements: 24, bytes: 96, quantizableElements: 16 };
    expect(layers).toEqual([
      // It holds nothing but an embedding: then that is what is meant.
      { layer: 'h.2', ...totals, quantizable: ['h.2.wte.weight'] },
      { layer: 'h.10', ...totals, quantizable: ['h.10.fc.weight'] },
    ]);
  });

  it('counts every weight of a BF16 tensor exactly', async () => {
    const pool = await sharedPool();
    const checkpoint = await openLocalModel(SAMPLE);
    const { statistics, histogram } = await readTensorDetails(pool, checkpoint, {
      tensor: DOWN_PROJ,
      bins: 200,
    });
    const weights = sampleWeights(DOWN_PROJ);
    const sorted = weights.slice().sort();
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
    const variance =
      weights.reduce((sum, weight) => sum + (weight - mean) ** 2, 0) / weights.length;
    expect(statistics.count).toBe(weights.length);
    expect(statistics.min).toBe(sorted[0]);
    expect(statistics.max).toBe(sorted[sorted.length - 1]);
    expect(statistics.mean).toBeCloseTo(mean, 12);
    expect(statistics.std).toBeCloseTo(Math.sqrt(variance), 12);
    expect(statistics.distinct).toBe(new Set(weights).size);
    expect(statistics.quantiles['0.01']).toBe(sorted[Math.ceil(0.01 * sorted.length) - 1]);
    expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(weights.length);
    const firstBin = weights.filter((w) => w < histogram.start + histogram.binWidth).length;
    expect(histogram.counts[0]).toBe(firstBin);
  });

  it('gives an F32 tensor exact quantiles and moments too, and finds non-finite weights', async () => {
    const pool = await sharedPool();
    const weights = syntheticWeights(1_300_000, 3).map((w) => w + 0.3);
    weights[1_200_000] = Infinity;
    weights[1_200_001] = NaN;
    const path = await writeCheckpoint({ a: f32Tensor([weights.length], weights) });
    const { statistics, histogram } = await readTensorDetails(pool, await openLocalModel(path), {
      tensor: 'a',
      bins: 100,
    });
    const sorted = weights.filter(Number.isFinite).sort();
    expect(statistics).toMatchObject({ nan: 1, inf: 1, firstNonFinite: 1_200_000 });
    for (const [probability, value] of Object.entries(statistics.quantiles)) {
      expect(value).toBe(sorted[Math.ceil(Number(probability) * sorted.length) - 1]);
    }
    const mean = sorted.reduce((sum, weight) => sum + weight, 0) / sorted.length;
    const moment = (k: number) =>
      sorted.reduce((sum, w) => sum + (w - mean) ** k, 0) / sorted.length;
    expect(statistics.std).toBeCloseTo(Math.sqrt(moment(2)), 10);
    expect(statistics.skewness).toBeCloseTo(moment(3) / moment(2) ** 1.5, 8);
    expect(statistics.kurtosis).toBeCloseTo(moment(4) / moment(2) ** 2 - 3, 8);
    expect(histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(sorted.length);
  });

  it('draws the positive and the negative extreme of every group apart', async () => {
    const pool = await sharedPool();
    const checkpoint = await openLocalModel(SAMPLE);
    const weights = sampleWeights(DOWN_PROJ);
    const whole = await readGroupRanges(pool, checkpoint, {
      tensor: DOWN_PROJ,
      groupSize: 128,
      maxColumns: 300,
    });
    expect(whole).toMatchObject({ groupCount: 1536, groupsPerRow: 6, firstGroup: 0 });
    expect(whole.columns).toHaveLength(256);
    const zoomed = await readGroupRanges(pool, checkpoint, {
      tensor: DOWN_PROJ,
      groupSize: 128,
      maxColumns: 300,
      firstGroup: 10,
      shownGroups: 20,
    });
    expect(zoomed.columns).toHaveLength(20);
    const group = weights.subarray(12 * 128, 13 * 128);
    expect(zoomed.columns[2]).toMatchObject({ firstGroup: 12, groups: 1 });
    expect(zoomed.columns[2].positive[4]).toBe(Math.max(...group));
    expect(zoomed.columns[2].negative[4]).toBe(-Math.min(...group));
  });
});

describe('quantize', () => {
  it('writes what the report says, and leaves everything else as it is', async () => {
    const pool = await sharedPool();
    const folder = await temporaryFolder();
    const out = join(folder, 'out.safetensors');
    const before = await readFile(join(SAMPLE, 'model.safetensors'));
    const report = await quantizeToFile(pool, await openLocalModel(SAMPLE), {
      format: 'afp4',
      out,
    });
    expect(report.outputs).toEqual([out]);
    const written = readRawSafetensors(out);
    const original = readRawSafetensors(join(SAMPLE, 'model.safetensors'));
    expect([...written.keys()].sort()).toEqual([...original.keys()].sort());
    expect(written.get('model.norm.weight')).toEqual(original.get('model.norm.weight'));
    const decoded = floatsOf(written.get(DOWN_PROJ)!);
    const weights = sampleWeights(DOWN_PROJ);
    const squaredError = weights.reduce((sum, weight, i) => sum + (decoded[i] - weight) ** 2, 0);
    const tensor = report.formats[0].tensors.find(({ name }) => name === DOWN_PROJ)!;
    expect(tensor.mse / (squaredError / weights.length)).toBeCloseTo(1, 12);
    expect(before.equals(await readFile(join(SAMPLE, 'model.safetensors')))).toBe(true);
  });

  it('refuses to overwrite its input', async () => {
    const pool = await sharedPool();
    const path = await writeCheckpoint({ 'a.weight': f32Tensor([2, 64], syntheticWeights(128)) });
    const before = await readFile(path);
    const job = quantizeToFile(pool, await openLocalModel(path), { format: 'int4', out: path });
    await expect(job).rejects.toThrow(/model\.safetensors/);
    expect(before.equals(await readFile(path))).toBe(true);
  });
});
