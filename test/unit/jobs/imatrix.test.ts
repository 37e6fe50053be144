// Importance matrices from end to end: gathered on a text, written, read back, and used for rounding.
import { cpSync, existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import {
  meanSquaresOf,
  readImatrixAtOnce,
  type ImportanceMatrix,
} from '../../../src/gguf/imatrix.js';
import { encodeImatrix } from '../../../src/gguf/imatrixBytes.js';
import { writeImatrix } from '../../../src/jobs/imatrix/node/writeImatrix.js';
import type { CalibrationSettings } from '../../../src/jobs/perplexity/measurement.js';
import { CalibrationText } from '../../../src/jobs/perplexity/node/calibrationText.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { observeInputs } from '../../../src/model/evaluation/evaluate.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { createPool, SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { run } from '../../support/commandLine.js';
import { perplexityOn } from '../../support/jobs.js';
import { copyWithText } from '../../support/textModels.js';

const FEW: CalibrationSettings = { windows: 4, context: 16 };

/** A small model with a text to score and another to calibrate on. */
async function textModel(name = 'llama-gqa-llama3rope'): Promise<string> {
  const folder = join(await temporaryFolder(), 'model');
  copyWithText(name, folder);
  let state = 5;
  const words = Array.from({ length: 400 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return `t${(state >>> 16) % 128}`;
  });
  await writeFile(join(folder, 'calibration.txt'), words.join(' '));
  return folder;
}

async function read(path: string): Promise<ImportanceMatrix> {
  return readImatrixAtOnce(await readFile(path), path);
}

async function write(matrix: ImportanceMatrix): Promise<string> {
  const path = join(await temporaryFolder(), 'imatrix.gguf');
  await writeFile(path, Buffer.concat(encodeImatrix(matrix)));
  return path;
}

async function gather(pool: WorkerPool, model: string, calibration = FEW) {
  const out = join(await temporaryFolder(), 'imatrix.gguf');
  const report = await writeImatrix(pool, await openLocalModel(model), { calibration, out });
  return { out, report };
}

async function measure(
  pool: WorkerPool,
  path: string,
  formats: readonly string[],
  calibration: CalibrationSettings = FEW,
) {
  const model = await openLocalModel(path);
  return perplexityOn(pool, model, { formats, context: 16, calibration });
}

describe('an importance matrix of a model', () => {
  it('has all linear maps of blocks, and does not depend on threads', async () => {
    const pool = await createPool({ threads: 1 });
    const { out, report } = await gather(pool, SAMPLE);
    expect(report).toMatchObject({ entries: 28, windows: 4, context: 16, tokens: 64, notes: [] });
    const matrix = await read(out);
    expect(matrix).toMatchObject({ chunkCount: 4, chunkSize: 16 });
    expect(matrix.datasets).toEqual([join(SAMPLE, 'calibration.txt')]);
    const modules = ['attn_k', 'attn_output', 'attn_q', 'attn_v', 'ffn_down', 'ffn_gate', 'ffn_up'];
    expect([...matrix.entries.keys()]).toEqual(
      [0, 1, 2, 3].flatMap((block) => modules.map((module) => `blk.${block}.${module}.weight`)),
    );
    expect(matrix.entries.get('blk.2.ffn_down.weight')).toMatchObject({ inputs: 768, matrices: 1 });
    for (const { counts } of matrix.entries.values()) expect([...counts]).toEqual([64]);
    // Maps that share inputs share sums.
    const [q, v] = ['attn_q', 'attn_v'].map((name) => matrix.entries.get(`blk.1.${name}.weight`)!);
    expect(v.sums).toEqual(q.sums);
    const again = await gather(await createPool({ threads: 2 }), SAMPLE);
    expect(await readFile(again.out)).toEqual(await readFile(out));
  });

  it('is Σx² of what each map takes, by plain sums over observed inputs', async () => {
    const folder = await textModel();
    const pool = await createPool({ threads: 1 });
    const { out } = await gather(pool, folder);
    const { entries } = await read(out);
    const model = await planLanguageModel(await openLocalModel(folder));
    const { windows } = await new CalibrationText({
      pool,
      model,
      settings: { calibration: FEW },
      files: localFileSystem,
    }).windowsFor({ windows: 1, context: 1 });
    const sums = new Map<string, number[]>();
    await observeInputs({
      pool,
      model,
      windows,
      variants: [],
      settings: {
        scaleDtype: 'f16',
        memoryBudgetBytes: 1,
        observer: {
          wants: (_, block) => block === 1,
          observe({ linears, inputs, rows, values }) {
            for (const { weight } of linears) {
              const own = sums.get(weight) ?? new Array<number>(inputs).fill(0);
              for (let i = 0; i < rows * inputs; i++) own[i % inputs] += values[i] ** 2;
              sums.set(weight, own);
            }
          },
        },
      },
    });
    const { down_proj, o_proj } = {
      down_proj: 'model.layers.1.mlp.down_proj.weight',
      o_proj: 'model.layers.1.self_attn.o_proj.weight',
    };
    expect([...entries.get('blk.1.ffn_down.weight')!.sums]).toEqual(
      sums.get(down_proj)!.map(Math.fround),
    );
    expect([...entries.get('blk.1.attn_output.weight')!.sums]).toEqual(
      sums.get(o_proj)!.map(Math.fround),
    );
  });

  it('has the experts of a mixture, with a count for each', async () => {
    const texts = await textModel();
    const folder = join(await temporaryFolder(), 'mixture');
    const mixture = new URL('../../fixtures/own-models/mixtral-window/', import.meta.url);
    cpSync(mixture, folder, { recursive: true });
    cpSync(join(texts, 'tokenizer.json'), join(folder, 'tokenizer.json'));
    const words = Array.from({ length: 200 }, (_, i) => `t${(i * 7) % 64}`);
    await writeFile(join(folder, 'calibration.txt'), words.join(' '));
    const { out, report } = await gather(await createPool({ threads: 1 }), folder);
    const { entries } = await read(out);
    expect([...entries.keys()]).toContain('blk.0.ffn_gate_inp.weight');
    const [up, down] = ['ffn_up_exps', 'ffn_down_exps'].map((module) => {
      return entries.get(`blk.0.${module}.weight`)!;
    });
    expect(up.counts).toEqual(down.counts);
    // Each of 64 tokens goes to two experts.
    expect(up.counts.reduce((sum, count) => sum + count)).toBe(128);
    const unseen =
      up.counts.includes(0) || entries.get('blk.1.ffn_up_exps.weight')!.counts.includes(0);
    expect(report.notes.join().includes('was routed to')).toBe(unseen);
  });
});

describe('rounding by importance', () => {
  it('is the same by a text and by the matrix that was written of it', async () => {
    const folder = await textModel();
    const pool = await createPool({ threads: 2 });
    const formats = ['q4_0', 'q4_0+imatrix', 'int3:g32+imatrix'];
    const { out } = await gather(pool, folder);
    const byText = await measure(pool, folder, formats);
    const byFile = await measure(pool, folder, formats, { ...FEW, imatrixFile: out });
    expect(byFile.formats[1].perplexity.value).not.toBe(byFile.formats[0].perplexity.value);
    for (const index of [1, 2]) {
      const { perplexity, calibration } = byFile.formats[index];
      const other = byText.formats[index];
      expect(perplexity.value).toBe(other.perplexity.value);
      expect(calibration?.findings).toEqual(other.calibration?.findings);
      expect(calibration).toMatchObject({ imatrix: out, windows: 0, tokens: 0 });
      expect(other.calibration).toMatchObject({ windows: 4, tokens: 64 });
      const sumOf = (name: string) =>
        calibration!.findings.reduce((sum, { values }) => sum + (values[name] as number), 0);
      expect(sumOf('weightedError')).toBeLessThan(0.95 * sumOf('weightedErrorWithout'));
    }
    expect(byText.notes).toEqual(byFile.notes);
  });

  it('goes without where entries are missing, and counts alike where no input was seen', async () => {
    const pool = await createPool({ threads: 1 });
    const folder = await textModel();
    const { out } = await gather(pool, folder);
    const matrix = await read(out);
    const entries = new Map(matrix.entries);
    entries.delete('blk.0.attn_q.weight');
    const unseen = entries.get('blk.1.ffn_up.weight')!;
    entries.set('blk.1.ffn_up.weight', { ...unseen, counts: Float32Array.of(0) });
    expect(meanSquaresOf(entries.get('blk.1.ffn_up.weight')!)[0]).toBe(1);
    const path = await write({ ...matrix, entries });
    const { formats, notes } = await measure(pool, folder, ['q4_0+imatrix'], {
      imatrixFile: path,
    });
    expect(notes).toEqual(
      expect.arrayContaining([
        `${path} has no entry for "blk.0.attn_q.weight": rounded without an importance.`,
        `${path} has seen no inputs of "blk.1.ffn_up.weight" (count 0): all inputs count alike there.`,
      ]),
    );
    const finding = formats[0].calibration!.findings.find(({ tensors }) =>
      tensors.includes('model.layers.0.self_attn.q_proj.weight'),
    );
    expect(finding).toMatchObject({
      values: {},
      notes: ['rounded without an importance, which is missing'],
    });
  });

  it.each<[string, (matrix: ImportanceMatrix) => ImportanceMatrix['entries'], string]>([
    [
      'widths of another model',
      ({ entries }) => {
        const down = entries.get('blk.1.ffn_down.weight')!;
        return new Map([...entries, ['blk.1.attn_q.weight', down]]);
      },
      'entry "blk.1.attn_q.weight": 768 inputs where the model\'s "model.layers.1.self_attn.q_proj.weight" has 256: this is the importance matrix of another model (TensorInvalidInfo)',
    ],
    [
      'more blocks than the model',
      ({ entries }) => new Map([...entries, ['blk.4.attn_q.weight', [...entries.values()][0]]]),
      'entry "blk.4.attn_q.weight": the model has 4 blocks, numbered from 0: this is the importance matrix of another model (TensorInvalidInfo)',
    ],
    [
      'names of another kind of model',
      ({ entries }) => new Map([['enc.0.attn.weight', [...entries.values()][0]]]),
      'it has "enc.0.attn.weight", none of which the model needs ("blk.0.',
    ],
  ])('refuses %s', async (_, change, message) => {
    const pool = await createPool({ threads: 1 });
    const folder = SAMPLE;
    const { out } = await gather(pool, folder, { windows: 1, context: 16 });
    const matrix = await read(out);
    const path = await write({ ...matrix, entries: change(matrix) });
    const refused = measure(pool, folder, ['q4_k+imatrix'], { imatrixFile: path });
    await expect(refused).rejects.toThrow(`${path}: ${message}`);
  });

  it('refuses a matrix for inputs that another method has scaled', async () => {
    const pool = await createPool({ threads: 1 });
    const folder = await textModel();
    const { out } = await gather(pool, folder);
    const format = 'int4:g32+smoothquant+imatrix';
    const refused = measure(pool, folder, [format], { ...FEW, imatrixFile: out });
    await expect(refused).rejects.toThrow(
      'int4-asym:g32+smoothquant+imatrix: an importance matrix is of the model\'s own inputs, which methods before "+imatrix" have changed: use it without them, or calibrate on a text',
    );
    // On a text it is that of the scaled inputs.
    const { formats } = await measure(pool, folder, [format]);
    expect(formats[0].perplexity.value).toBeGreaterThan(1);
  });
});

describe('the command line', () => {
  it('writes a matrix and takes it', async () => {
    const folder = await textModel();
    const out = join(await temporaryFolder(), 'imatrix.gguf');
    const few = ['--calibration-windows', '2', '--calibration-context', '16', '--threads', '1'];
    const made = await run('imatrix', folder, '--output', out, ...few);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stdout).toContain('tensors on 32 tokens (2 windows of 16) of');
    expect(made.stdout).toContain(`Wrote ${out}`);
    const used = await run(
      ...['perplexity', folder, '--format', 'q4_0+imatrix', '--imatrix', out, '--no-cache'],
      ...['--context', '16', '--threads', '1'],
    );
    expect(used).toMatchObject({ code: 0 });
    expect(used.stdout).toContain('q4_0+imatrix');
  });

  it('never replaces a file of the model, and leaves nothing where it fails', async () => {
    const weights = join(SAMPLE, 'model.safetensors');
    const few = ['--calibration-windows', '1', '--calibration-context', '16', '--threads', '1'];
    const refused = await run('imatrix', SAMPLE, '--output', weights, ...few);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain('(WouldOverwriteInput)');
    const out = join(await temporaryFolder(), 'imatrix.gguf');
    const missing = await run(
      'imatrix',
      SAMPLE,
      '--output',
      out,
      '--calibration',
      'no.txt',
      ...few,
    );
    expect(missing).toMatchObject({ code: 1 });
    expect(existsSync(out)).toBe(false);
  });

  it.each([
    [['imatrix', SAMPLE], '--output FILE is missing'],
    [['imatrix', SAMPLE, '--output', 'a', '--calibration', ''], '--calibration is empty'],
    [['perplexity', SAMPLE, '--imatrix', 'a'], '--imatrix is for formats with +imatrix'],
    [['perplexity', SAMPLE, '--format', 'q4_k+imatrix', '--imatrix', ''], '--imatrix is empty'],
  ])('refuses %j', async (args, message) => {
    const refused = await run(...args);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain(message);
  });

  it.each([
    [
      'q8_0+imatrix',
      'llama.cpp rounds to Q8_0 without an importance matrix, also where there is one',
    ],
    ['f16+imatrix', 'f16 has no scales that an importance could choose'],
    ['int4+mse+imatrix', 'imatrix searches by itself, "+mse" cannot be added'],
    ['int4:tensor+imatrix', 'imatrix needs groups of a row or less, not a whole tensor'],
  ])('refuses %s', async (format, message) => {
    const refused = await run('perplexity', SAMPLE, '--format', format);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain(message);
  });
});
