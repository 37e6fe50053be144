import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Host } from '../../src/host/host.js';
import { makeNodeHost } from '../../src/host/node/nodeHost.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import {
  ASSETS,
  createPool,
  f32Tensor,
  SAMPLE,
  temporaryFolder,
  writeCheckpoint,
} from '../support/checkpoints.js';
import { compareOn } from '../support/jobs.js';
import { card, expectNear, measure, PROJECTIONS } from '../support/perplexity.js';
import { floatsOf, readRawSafetensors } from '../support/rawSafetensors.js';

// The card has totals of the whole text only, which test/slow checks. Its first windows one by one are
// from fixtures/sample-windows/make.py: a computation that shares no code with ours, and that comes to
// the card's totals over the whole text.
const sampleWindows = JSON.parse(
  await readFile(join(import.meta.dirname, '../fixtures/sample-windows/windows.json'), 'utf8'),
) as { readonly nll: Readonly<Record<string, readonly number[]>> };

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a mean of values. */
function standardError(values: readonly number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

/** −log p of each next token, from logits [positions, vocabulary], in doubles. */
function negativeLogLikelihood(
  logits: Float32Array,
  ids: readonly number[],
  vocabulary: number,
): number {
  let sum = 0;
  for (let position = 0; position + 1 < ids.length; position++) {
    const row = logits.subarray(position * vocabulary, (position + 1) * vocabulary);
    const most = row.reduce((largest, value) => Math.max(largest, value), -Infinity);
    const total = row.reduce((mass, value) => mass + Math.exp(value - most), 0);
    sum += Math.log(total) + most - row[ids[position + 1]];
  }
  return sum;
}

/** A host whose engine cannot run the build with fused multiply-add, for all that the loader sees. */
async function hostWithoutFusion(): Promise<Host> {
  const folder = await temporaryFolder();
  for (const name of await readdir(ASSETS)) {
    if (/\.(js|wasm)$/.test(name)) await copyFile(join(ASSETS, name), join(folder, name));
  }
  await writeFile(join(folder, 'forward-fma.wasm'), 'no module');
  return makeNodeHost(folder);
}

describe('the sample model', () => {
  it('has the perplexities and standard errors of an independent computation, also in two formats', async () => {
    const { f32, ...formats } = sampleWindows.nll;
    const windows = f32.length;
    const report = await measure(SAMPLE, {
      formats: Object.keys(formats),
      scaleDtype: 'f32',
      tensorGlobs: PROJECTIONS,
      windows,
    });
    expect(report.text).toMatchObject({
      source: join(SAMPLE, 'eval.txt'),
      bundled: false,
      protocol: 'stream',
      context: card.context,
      windows,
      tokens: windows * (card.context - 1),
      totalTokens: card.totalIds,
    });
    const baseline = report.baseline.perplexity;
    const baselineValue = Math.exp(mean(f32));
    expectNear(baseline.nll, mean(f32));
    expectNear(baseline.value, baselineValue);
    expectNear(baseline.standardError!, baselineValue * standardError(f32));
    expect(report.formats.map(({ id }) => id)).toEqual(Object.keys(formats));
    for (const { id, perplexity } of report.formats) {
      const value = Math.exp(mean(formats[id]));
      expectNear(perplexity.nll, mean(formats[id]));
      expectNear(perplexity.value, value);
      expectNear(perplexity.standardError!, value * standardError(formats[id]));
      expect(perplexity.tokens).toBe(baseline.tokens);
      // Differences between nearly equal values have their own, larger error.
      const delta = value - baselineValue;
      expect(Math.abs(perplexity.deltaVsBaseline / delta - 1)).toBeLessThan(0.001);
      const moved = formats[id].map((nll, window) => value * nll - baselineValue * f32[window]);
      expect(perplexity.deltaStandardError! / standardError(moved)).toBeCloseTo(1, 3);
      expect(perplexity.klDivergence!).toBeGreaterThan(0);
      expect(perplexity.topTokenAgreement!).toBeGreaterThan(0.8);
      expect(perplexity.topTokenAgreement!).toBeLessThan(1);
    }
  });

  it('has them on engines without fused multiply-add, too', async () => {
    const windows = 4;
    const expected = mean(sampleWindows.nll.f32.slice(0, windows));
    const fused = await measure(SAMPLE, { windows });
    const plain = await measure(SAMPLE, { windows }, await hostWithoutFusion());
    expectNear(fused.baseline.perplexity.nll, expected);
    expectNear(plain.baseline.perplexity.nll, expected);
    // It was another build: roundings differ.
    expect(plain.baseline.perplexity.nll).not.toBe(fused.baseline.perplexity.nll);
  });

  it('is itself in f32, and changes nothing when its ids come from a file', async () => {
    const folder = await temporaryFolder();
    const logitsFile = join(folder, 'logits.safetensors');
    const report = await measure(SAMPLE, { windows: 2, context: 32, logitsFile });
    const saved = readRawSafetensors(logitsFile);
    const ids = [...new BigInt64Array(saved.get('input_ids')!.bytes.buffer)].map(Number);
    expect(saved.get('input_ids')).toMatchObject({ dtype: 'I64', shape: [2, 32] });
    expect(saved.get('logits')).toMatchObject({ dtype: 'F32', shape: [2, 32, 2048] });

    // The saved logits have the perplexity that was reported.
    const logits = floatsOf(saved.get('logits')!);
    const halves = [ids.slice(0, 32), ids.slice(32)];
    const sums = halves.map((window, index) =>
      negativeLogLikelihood(logits.subarray(index * 32 * 2048), window, 2048),
    );
    expect((sums[0] + sums[1]) / 62 / report.baseline.perplexity.nll).toBeCloseTo(1, 6);

    const tokenIdsFile = join(folder, 'ids.json');
    await writeFile(tokenIdsFile, JSON.stringify(halves));
    const again = await measure(SAMPLE, { tokenIdsFile, formats: ['f32'] });
    expect(again.text).toMatchObject({ protocol: 'token-ids', windows: 2, tokens: 62 });
    expect(again.baseline.perplexity).toEqual(report.baseline.perplexity);
    expect(again.formats[0].perplexity).toMatchObject({
      ...report.baseline.perplexity,
      klDivergence: 0,
      topTokenAgreement: 1,
    });
  });

  it('saves the logits of the one format, and nothing where windows differ', async () => {
    const folder = await temporaryFolder();
    const logitsFile = join(folder, 'logits.safetensors');
    const tokenIdsFile = join(folder, 'ids.json');
    await writeFile(tokenIdsFile, '[[0, 5, 6], [0, 7, 8]]');
    const request = { tokenIdsFile, logitsFile, formats: ['int3'] };
    const report = await measure(SAMPLE, request);
    const logits = floatsOf(readRawSafetensors(logitsFile).get('logits')!);
    const sum =
      negativeLogLikelihood(logits, [0, 5, 6], 2048) +
      negativeLogLikelihood(logits.subarray(3 * 2048), [0, 7, 8], 2048);
    expect(sum / 4 / report.formats[0].perplexity.nll).toBeCloseTo(1, 6);
    expect(report.formats[0].perplexity.nll).not.toBe(report.baseline.perplexity.nll);

    await writeFile(tokenIdsFile, '[[0, 5, 6], [0, 7]]');
    await expect(measure(SAMPLE, { ...request, logitsFile: `${logitsFile}2` })).rejects.toThrow(
      'window 1 has 3 tokens, window 2 has 2',
    );
    expect((await readdir(folder)).sort()).toEqual(['ids.json', 'logits.safetensors']);
  });

  it('gives each tensor alone what a run of that tensor gives', async () => {
    const pool = await createPool();
    const checkpoint = await openLocalModel(SAMPLE);
    const tensorGlobs = ['*layers.[13].mlp.down_proj.weight', '*layers.0.self_attn.q_proj.weight'];
    const perplexity = { windows: 2, context: 64, perLayer: true };
    const formats = ['int3', 'nf3'];
    const report = await compareOn(pool, checkpoint, { formats, tensorGlobs, perplexity });
    for (const format of report.formats) {
      expect(format.tensors).toHaveLength(3);
      for (const { name, perplexityAlone } of format.tensors) {
        const alone = await compareOn(pool, checkpoint, {
          formats: [format.id],
          tensors: [name],
          perplexity,
        });
        expect(perplexityAlone).toEqual(alone.formats[0].perplexity);
        expect(alone.formats[0].tensors[0].perplexityAlone).toEqual(perplexityAlone);
        expect(perplexityAlone).not.toEqual(format.perplexity);
      }
    }
    expect(report.baseline.perplexity!.tokens).toBe(126);
  });

  it('finds the scores of an earlier run, and those that a longer one still lacks', async () => {
    const cacheFolder = await temporaryFolder();
    const request = { cacheFolder, context: 64, formats: ['int3'] };
    const short = await measure(SAMPLE, { ...request, windows: 2 });
    const [file] = await readdir(cacheFolder);
    const lines = async () =>
      (await readFile(join(cacheFolder, file), 'utf8')).trimEnd().split('\n').length;
    expect(await lines()).toBe(4);
    const again = await measure(SAMPLE, { ...request, windows: 2 });
    expect(again.formats).toEqual(short.formats);
    expect(again.baseline).toEqual(short.baseline);
    expect(await lines()).toBe(4);

    const long = await measure(SAMPLE, { ...request, windows: 4 });
    expect(await lines()).toBe(8);
    const fresh = await measure(SAMPLE, { ...request, cacheFolder: undefined, windows: 4 });
    expect(long.formats).toEqual(fresh.formats);
  });
});

/** The sample's files, its config changed and one weight made NaN, without its own text. */
async function damagedSample(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    await writeFile(join(folder, name), await readFile(join(SAMPLE, name)));
  }
  const config = JSON.parse(await readFile(join(SAMPLE, 'config.json'), 'utf8'));
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({ ...config, max_position_embeddings: 16 }),
  );
  const tensors = Object.fromEntries(
    [...readRawSafetensors(join(SAMPLE, 'model.safetensors'))].map(([name, { shape, bytes }]) => {
      const words = Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16);
      const weights = new Float32Array(words.buffer);
      if (name === 'model.layers.1.mlp.up_proj.weight') weights[7] = NaN;
      return [name, f32Tensor(shape, weights)];
    }),
  );
  await writeCheckpoint(tensors, folder);
  return folder;
}

describe('notes', () => {
  it('say what a reader must know: whose text, how long windows, which weights', async () => {
    const folder = await damagedSample();
    const cacheFolder = await temporaryFolder();
    const request = { context: 32, windows: 1, cacheFolder };
    const report = await measure(folder, request);
    expect(report.text).toMatchObject({ bundled: true, context: 32 });
    const notes = report.notes.join('\n');
    expect(notes).toMatch(/text that comes with Quantscope/);
    expect(notes).toMatch(/32 tokens are longer than the 16 positions/);
    expect(notes).toMatch(/1 weight is NaN or infinite and counted as 0/);
    expect(notes).toMatch(/single window/);
    expect(report.baseline.perplexity.standardError).toBeNull();
    expect(Number.isFinite(report.baseline.perplexity.value)).toBe(true);
    // Also where the scores come from an earlier run, which read no weights.
    expect((await measure(folder, request)).notes).toEqual(report.notes);
  });

  it('are errors of one line where nothing can be measured', async () => {
    const folder = await temporaryFolder();
    const textFile = join(folder, 'a.txt');
    await writeFile(textFile, 'Fellow citizens');
    await expect(measure(SAMPLE, { textFile })).rejects.toThrow(
      /a\.txt: the text has \d+ tokens, too few for a single window of 256/,
    );
    await writeFile(textFile, Uint8Array.of(0x61, 0xff));
    await expect(measure(SAMPLE, { textFile })).rejects.toThrow('a.txt: this is not UTF-8 text');
    await writeFile(textFile, '[1, 2048]');
    await expect(measure(SAMPLE, { tokenIdsFile: textFile })).rejects.toThrow(
      'a.txt: id 2: 2048 is not a token id of the model (0 to 2047)',
    );
    await writeFile(textFile, '[1, ');
    await expect(measure(SAMPLE, { tokenIdsFile: textFile })).rejects.toThrow(
      'the JSON cannot be read: byte 4',
    );
    await expect(measure(SAMPLE, { textFile: join(folder, 'none') })).rejects.toThrow(
      'there is no such file',
    );
  });
});
