// Importance matrices from end to end: gathered on a text, written, read back, and used for rounding.
import { existsSync } from 'node:fs';
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
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { createPool, SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { run } from '../../support/commandLine.js';
import { perplexityOn } from '../../support/jobs.js';
import { copyWithText } from '../../support/textModels.js';

const FEW: CalibrationSettings = { windows: 8, context: 64 };

async function read(path: string): Promise<ImportanceMatrix> {
  return readImatrixAtOnce(await readFile(path), path);
}

async function write(matrix: ImportanceMatrix): Promise<string> {
  const path = join(await temporaryFolder(), 'imatrix.gguf');
  await writeFile(path, Buffer.concat(encodeImatrix(matrix)));
  return path;
}

async function gather(pool: WorkerPool, model = SAMPLE, calibration = FEW) {
  const out = join(await temporaryFolder(), 'imatrix.gguf');
  const report = await writeImatrix(pool, await openLocalModel(model), { calibration, out });
  return { out, report };
}

async function measure(
  pool: WorkerPool,
  formats: readonly string[],
  calibration: CalibrationSettings = FEW,
  path = SAMPLE,
) {
  const model = await openLocalModel(path);
  return perplexityOn(pool, model, { formats, context: 64, windows: 6, calibration });
}

describe('an importance matrix of a model', () => {
  it('has all linear maps of blocks, and does not depend on threads', async () => {
    const pool = await createPool({ threads: 1 });
    const { out, report } = await gather(pool);
    expect(report).toMatchObject({ entries: 28, windows: 8, context: 64, tokens: 512, notes: [] });
    const matrix = await read(out);
    expect(matrix).toMatchObject({ chunkCount: 8, chunkSize: 64 });
    expect(matrix.datasets).toEqual([join(SAMPLE, 'calibration.txt')]);
    const modules = ['attn_k', 'attn_output', 'attn_q', 'attn_v', 'ffn_down', 'ffn_gate', 'ffn_up'];
    expect([...matrix.entries.keys()]).toEqual(
      [0, 1, 2, 3].flatMap((block) => modules.map((module) => `blk.${block}.${module}.weight`)),
    );
    expect(matrix.entries.get('blk.2.ffn_down.weight')).toMatchObject({ inputs: 768, matrices: 1 });
    for (const { counts } of matrix.entries.values()) expect([...counts]).toEqual([512]);
    // Maps that share inputs share sums.
    const [q, v] = ['attn_q', 'attn_v'].map((name) => matrix.entries.get(`blk.1.${name}.weight`)!);
    expect(v.sums).toEqual(q.sums);
    const again = await gather(await createPool({ threads: 2 }));
    expect(await readFile(again.out)).toEqual(await readFile(out));
  });

  it('says what it leaves out of mixtures of experts', async () => {
    const folder = join(await temporaryFolder(), 'model');
    copyWithText('../own-models/mixtral-window', folder);
    const pool = await createPool({ threads: 1 });
    const { out, report } = await gather(pool, folder, { windows: 4, context: 16 });
    expect(report.notes).toContain(
      'Experts are left out: only linear maps that all tokens pass are seen. llama.cpp rounds them without an importance then.',
    );
    const { entries } = await read(out);
    expect([...entries.keys()]).toContain('blk.0.ffn_gate_inp.weight');
    expect([...entries.keys()].some((name) => name.includes('_exps'))).toBe(false);
  });
});

describe('rounding by importance', () => {
  it('is the same by a text and by the matrix that was written of it', async () => {
    const pool = await createPool({ threads: 2 });
    const formats = ['q3_k+imatrix', 'int3:g64+imatrix'];
    const { out } = await gather(pool);
    const byText = await measure(pool, formats);
    const byFile = await measure(pool, formats, { ...FEW, imatrixFile: out });
    for (const [index, { perplexity, calibration }] of byFile.formats.entries()) {
      const other = byText.formats[index];
      expect(perplexity.value).toBe(other.perplexity.value);
      expect(calibration?.findings).toEqual(other.calibration?.findings);
      expect(calibration).toMatchObject({ imatrix: out, windows: 0, tokens: 0 });
      expect(other.calibration).toMatchObject({ windows: 8, tokens: 512 });
      for (const { values } of calibration!.findings) {
        expect(values.weightedError).toBeLessThan(values.weightedErrorWithout as number);
      }
    }
    expect(byText.notes).toEqual(byFile.notes);
  });

  it('comes closer to the model than without it', async () => {
    const pool = await createPool({ threads: 2 });
    const formats = ['q2_k', 'q2_k+imatrix', 'int3:g64', 'int3:g64+imatrix'];
    const { formats: measured } = await measure(pool, formats, { windows: 16, context: 128 });
    const [q2, q2Weighted, int3, int3Weighted] = measured.map(
      ({ perplexity }) => perplexity.klDivergence!,
    );
    expect(q2Weighted).toBeLessThan(0.9 * q2);
    expect(int3Weighted).toBeLessThan(0.95 * int3);
  });

  it('goes without where entries are missing, and counts alike where no input was seen', async () => {
    const pool = await createPool({ threads: 1 });
    const { out } = await gather(pool);
    const matrix = await read(out);
    const entries = new Map(matrix.entries);
    entries.delete('blk.0.attn_q.weight');
    const unseen = entries.get('blk.3.ffn_up.weight')!;
    entries.set('blk.3.ffn_up.weight', { ...unseen, counts: Float32Array.of(0) });
    expect(meanSquaresOf(entries.get('blk.3.ffn_up.weight')!)[0]).toBe(1);
    const path = await write({ ...matrix, entries });
    const { formats, notes } = await measure(pool, ['q4_0+imatrix'], { imatrixFile: path });
    expect(notes).toEqual(
      expect.arrayContaining([
        `${path} has no entry for "blk.0.attn_q.weight": rounded without an importance.`,
        `${path} has seen no inputs of "blk.3.ffn_up.weight" (count 0): all inputs count alike there.`,
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
    const { out } = await gather(pool, SAMPLE, { windows: 1, context: 16 });
    const matrix = await read(out);
    const path = await write({ ...matrix, entries: change(matrix) });
    const refused = measure(pool, ['q4_k+imatrix'], { imatrixFile: path });
    await expect(refused).rejects.toThrow(`${path}: ${message}`);
  });

  it('refuses a matrix for inputs that another method has scaled', async () => {
    const pool = await createPool({ threads: 1 });
    const { out } = await gather(pool, SAMPLE, { windows: 1, context: 16 });
    const refused = measure(pool, ['int4:g64+smoothquant+imatrix'], { ...FEW, imatrixFile: out });
    await expect(refused).rejects.toThrow(
      'int4-asym:g64+smoothquant+imatrix: an importance matrix is of the model\'s own inputs, which methods before "+imatrix" have changed: use it without them, or calibrate on a text',
    );
    // On a text it is that of the scaled inputs.
    const { formats } = await measure(pool, ['int4:g64+smoothquant+imatrix']);
    expect(formats[0].perplexity.value).toBeGreaterThan(1);
  });
});

describe('the command line', () => {
  it('writes a matrix and takes it', async () => {
    const out = join(await temporaryFolder(), 'imatrix.gguf');
    const few = ['--calibration-windows', '2', '--calibration-context', '32', '--threads', '1'];
    const made = await run('imatrix', SAMPLE, '--output', out, ...few);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stdout).toContain('Importance of the inputs of 28 tensors on 64 tokens');
    expect(made.stdout).toContain(`Wrote ${out}`);
    const used = await run(
      ...['perplexity', SAMPLE, '--format', 'q4_k+imatrix', '--imatrix', out, '--no-cache'],
      ...['--context', '32', '--windows', '2', '--threads', '1'],
    );
    expect(used).toMatchObject({ code: 0 });
    expect(used.stdout).toContain('q4_k+imatrix');
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
