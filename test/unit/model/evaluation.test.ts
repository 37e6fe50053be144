import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import { quantizeTensors } from '../../../src/jobs/comparison/quantizeTensors.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import {
  BASELINE,
  type LanguageModel,
  type ScoreStore,
  type Variant,
  type WindowScore,
} from '../../../src/model/evaluation/types.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { isCancelled, type Progress } from '../../../src/rpc/rpc.js';
import {
  f32Tensor,
  SAMPLE,
  syntheticWeights,
  temporaryFolder,
  writeCheckpoint,
  type TestTensor,
} from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { GOLDEN_MODELS, openModel, SETTINGS, someWindows } from '../../support/languageModels.js';
import { quantizedCopy } from '../../support/quantizedCopy.js';
import { readRawSafetensors } from '../../support/rawSafetensors.js';

/** Every tensor alone, and all of them, in some formats. */
function allVariants(model: LanguageModel, names: readonly string[]): Variant[] {
  const tensors = selectTensors(model.opened, {}).map(({ name }) => name);
  return names.map(parseFormat).flatMap((format) => [
    { id: format.id, changes: inFormat(format, tensors) },
    ...tensors.map((name) => ({
      id: `${format.id} ${name}`,
      changes: inFormat(format, [name]),
    })),
  ]);
}

/** Keeps scores, and what happened in which order. */
class MemoryStore implements ScoreStore {
  readonly scores = new Map<string, WindowScore>();
  readonly puts: string[][] = [];

  get(variant: string, window: number): WindowScore | undefined {
    return this.scores.get(`${variant} ${window}`);
  }

  async put(scores: Parameters<ScoreStore['put']>[0]): Promise<void> {
    this.puts.push(scores.map(({ variant, window }) => `${variant} ${window}`));
    for (const { variant, window, score } of scores) {
      this.scores.set(`${variant} ${window}`, score);
    }
  }
}

function comparable({ baseline, variants }: Awaited<ReturnType<typeof evaluate>>) {
  return { baseline, variants };
}

describe('evaluation', () => {
  it('gives the same bits with any number of threads, and however it is cut into passes', async () => {
    const model = await openModel(join(GOLDEN_MODELS, 'llama-gqa-llama3rope'));
    const windows = someWindows(model, [40, 7, 64, 33]);
    const variants = allVariants(model, ['int3', 'afp3:g32']);
    const stateBytes = 64 * model.plan.hiddenSize * 4;
    const results: unknown[] = [];
    for (const [threads, memoryBudgetBytes] of [
      [2, 256 << 20],
      [1, 10 * stateBytes],
      [3, 4 * stateBytes],
    ]) {
      const pool = await sharedPool({ threads });
      const settings = { ...SETTINGS, memoryBudgetBytes };
      results.push(comparable(await evaluate({ pool, model, windows, variants, settings })));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('measures a variant as if its file had been written and opened', async () => {
    const pool = await sharedPool();
    const path = join(GOLDEN_MODELS, 'gemma2');
    const model = await openModel(path);
    const windows = someWindows(model, [30, 30]);
    // Ordinary, per-tensor and flattened groups; a tied embedding that is the head as well.
    for (const id of ['int3:g8', 'int4:tensor', 'bnb-nf4', 'nvfp4']) {
      const format = parseFormat(id);
      const name = id.startsWith('int') ? 'model.embed_tokens.weight' : undefined;
      const tensors = name
        ? model.opened.tensors.filter((tensor) => tensor.name === name)
        : selectTensors(model.opened, {});
      const variant = {
        id,
        changes: inFormat(
          format,
          tensors.map((each) => each.name),
        ),
      };
      const { variants } = await evaluate({
        pool,
        model,
        windows,
        variants: [variant],
        settings: SETTINGS,
      });
      const written = await quantizedCopy(pool, path, variant);
      const direct = await evaluate({ pool, model: written, windows, settings: SETTINGS });
      expect(variants[0].map(({ nll }) => nll)).toEqual(direct.baseline.map(({ nll }) => nll));
    }
  });

  it('says how far a variant is from the unquantized model', async () => {
    const pool = await sharedPool();
    const model = await openModel(SAMPLE);
    const windows = someWindows(model, [50, 50]);
    const same = { id: 'same', changes: inFormat(parseFormat('f32'), ['lm_head.weight']) };
    const [all] = allVariants(model, ['int2']);
    const { baseline, variants } = await evaluate({
      pool,
      model,
      windows,
      variants: [same, all],
      settings: SETTINGS,
    });
    variants[0].forEach((score, window) => {
      expect(score.nll).toBe(baseline[window].nll);
      expect(score.agreements).toBe(score.targets);
      expect(Math.abs(score.divergence)).toBeLessThan(1e-6 * score.targets);
      expect(Math.abs(score.reverseDivergence)).toBeLessThan(1e-6 * score.targets);
    });
    for (const score of variants[1]) {
      expect(score.divergence / score.targets).toBeGreaterThan(0.01);
      expect(score.reverseDivergence / score.targets).toBeGreaterThan(0.01);
      expect(score.agreements).toBeLessThan(score.targets);
    }
  });

  it('takes up after a cancelled run what that run had finished', async () => {
    const pool = await sharedPool();
    const model = await openModel(SAMPLE);
    const windows = someWindows(model, [32, 32, 32, 32]);
    const variants = allVariants(model, ['int4']).slice(0, 1);
    const store = new MemoryStore();
    // One window per batch: two states of 32 rows.
    const memoryBudgetBytes = 2 * 32 * model.plan.hiddenSize * 4;
    const settings = { ...SETTINGS, memoryBudgetBytes, store };
    const controller = new AbortController();
    const onProgress = ({ message }: Progress) => {
      if (message?.includes('window 3')) controller.abort();
    };
    const options = { signal: controller.signal, onProgress };
    const cancelled = await evaluate({ pool, model, windows, variants, settings }, options).catch(
      (error: unknown) => error,
    );
    expect(isCancelled(cancelled)).toBe(true);
    expect(store.puts).toHaveLength(2);

    const resumed = await evaluate({ pool, model, windows, variants, settings });
    const computed = store.puts.slice(2).flat();
    expect(computed).toEqual([
      `${BASELINE} 2`,
      `${variants[0].id} 2`,
      `${BASELINE} 3`,
      `${variants[0].id} 3`,
    ]);
    const whole = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
    expect(comparable(resumed)).toEqual(comparable(whole));

    await evaluate({ pool, model, windows, variants, settings });
    expect(store.puts).toHaveLength(4);
  });

  it('gives the unquantized model the same bits beside variants, however its head is cut', async () => {
    const pool = await sharedPool();
    const folder = await temporaryFolder();
    const from = fileURLToPath(
      new URL('../../fixtures/own-models/gpt_neox-serial/', import.meta.url),
    );
    // A head of 38 MB, more than is in memory at once.
    const vocabulary = 200_000;
    const head = f32Tensor([vocabulary, 48], syntheticWeights(vocabulary * 48));
    const raw = readRawSafetensors(join(from, 'model.safetensors'));
    raw.delete('gpt_neox.embed_in.weight');
    const tied = { ...Object.fromEntries(raw), 'embed_out.weight': head };
    await writeCheckpoint(tied, folder);
    const text = await readFile(join(from, 'config.json'), 'utf8');
    const config = { ...JSON.parse(text), vocab_size: vocabulary, tie_word_embeddings: true };
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const model = await openModel(folder);
    const windows = someWindows(model, [9, 9]);
    const alone = await evaluate({ pool, model, windows, settings: SETTINGS });
    const format = parseFormat('int8');
    const changes = ['gpt_neox.layers.0.attention.dense.weight', 'embed_out.weight'].map(
      (name) => ({
        id: name,
        changes: inFormat(format, [name]),
      }),
    );
    const beside = await evaluate({ pool, model, windows, variants: changes, settings: SETTINGS });
    expect(beside.baseline).toEqual(alone.baseline);
  });

  it('counts weights that are no numbers once, however often they are read', async () => {
    const pool = await sharedPool();
    const folder = await temporaryFolder();
    const from = fileURLToPath(new URL('../../fixtures/own-models/llama-biases/', import.meta.url));
    const tensors = Object.fromEntries(readRawSafetensors(join(from, 'model.safetensors')));
    for (const name of ['lm_head.weight', 'model.layers.1.self_attn.q_proj.weight']) {
      new Float32Array(tensors[name].bytes.buffer).set([NaN, Infinity], 40);
    }
    await writeCheckpoint(tensors as Record<string, TestTensor>, folder);
    await writeFile(join(folder, 'config.json'), await readFile(join(from, 'config.json')));
    const model = await openModel(folder);
    // A window per batch, so that everything is read twice.
    const settings = { ...SETTINGS, memoryBudgetBytes: 1 };
    const variants = allVariants(model, ['int4']);
    const windows = someWindows(model, [20, 20]);
    const { nonFinite, baseline } = await evaluate({ pool, model, windows, variants, settings });
    expect(nonFinite).toBe(4);
    expect(baseline.every(({ nll }) => Number.isFinite(nll))).toBe(true);
  });

  it('names what is wrong with windows', async () => {
    const pool = await sharedPool();
    const model = await openModel(join(GOLDEN_MODELS, 'gpt2'));
    const run = (window: number[]) =>
      evaluate({ pool, model, windows: [Int32Array.from(window)], settings: SETTINGS });
    await expect(run([1])).rejects.toThrow('window 1: a window needs at least 2 tokens');
    await expect(run([1, 96])).rejects.toThrow('token 96 at position 1 is outside the vocabulary');
    await expect(run(new Array<number>(65).fill(1))).rejects.toThrow('64 positions');
  });
});

describe('weights stored as [inputs × outputs]', () => {
  it('are quantized along their inputs, as if they were stored the other way round', async () => {
    const pool = await sharedPool();
    const checkpoint = await openLocalModel(join(GOLDEN_MODELS, 'gpt2'));
    const transposed = await transposedCopy(join(GOLDEN_MODELS, 'gpt2', 'model.safetensors'));
    const formats = ['int4:g8', 'afp4:row', 'bnb-nf4', 'int4:tensor', 'q4_0'].map(parseFormat);
    const measure = async (of: typeof checkpoint) => {
      const request = { tensors: selectTensors(of, {}), formats, scaleDtype: 'f16' } as const;
      const { tensors } = await quantizeTensors(pool, request);
      return tensors.map(({ tensor, weights, errors }) => ({
        name: tensor.name,
        mse: errors.map((each) => each.measures(weights).mse),
      }));
    };
    const [stored, other] = [await measure(checkpoint), await measure(transposed)];
    expect(stored.length).toBeGreaterThan(4);
    expect(stored.map(({ name }) => name)).toEqual(other.map(({ name }) => name));
    stored.forEach(({ mse }, tensor) =>
      mse.forEach((each, format) =>
        expect(Math.abs(each / other[tensor].mse[format] - 1)).toBeLessThan(1e-12),
      ),
    );
  });
});

it('writes dequantized weights back in the order in which they were stored', async () => {
  const pool = await sharedPool();
  const checkpoint = await openLocalModel(join(GOLDEN_MODELS, 'gpt2'));
  const transposed = await transposedCopy(join(GOLDEN_MODELS, 'gpt2', 'model.safetensors'));
  const name = 'transformer.h.1.mlp.c_fc.weight';
  const outputs = await Promise.all(
    [checkpoint, transposed].map(async (of) => {
      const values: number[] = [];
      const onOutput = (_: unknown, weights: Float32Array) => void values.push(...weights);
      const tensors = of.tensors.filter((tensor) => tensor.name === name);
      const formats = [parseFormat('int3:g8')];
      await quantizeTensors(pool, { tensors, formats, scaleDtype: 'f16', onOutput });
      return { values, shape: tensors[0].shape };
    }),
  );
  const [stored, other] = outputs;
  const [rows, columns] = stored.shape;
  expect(other.shape).toEqual([columns, rows]);
  expect(stored.values).toHaveLength(rows * columns);
  const back = stored.values.map(
    (_, index) => other.values[(index % columns) * rows + Math.floor(index / columns)],
  );
  expect(stored.values).toEqual(back);
});

/** The same checkpoint with its Conv1D weights as [outputs × inputs], in a folder without config.json. */
async function transposedCopy(path: string) {
  const tensors = [...readRawSafetensors(path)].map(([name, { dtype, shape, bytes }]) => {
    const plain = { dtype: dtype as TestTensor['dtype'], shape, bytes };
    if (!/\.c_(attn|proj|fc)\.weight$/.test(name)) return [name, plain] as const;
    const [inputs, outputs] = shape;
    const size = bytes.length / inputs / outputs;
    const other = new Uint8Array(bytes.length);
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        const from = (i * outputs + o) * size;
        other.set(bytes.subarray(from, from + size), (o * inputs + i) * size);
      }
    }
    return [name, { ...plain, shape: [outputs, inputs], bytes: other }] as const;
  });
  return openLocalModel(await writeCheckpoint(Object.fromEntries(tensors)));
}
