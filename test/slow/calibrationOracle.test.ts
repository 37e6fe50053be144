import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { getMatrixShape } from '../../src/checkpoint/matrixShape.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { calibrateModel } from '../../src/model/calibration/node/calibrateModel.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import { parseScheme } from '../../src/methods/schemes.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { computePerplexity } from '../../src/model/scores/perplexity.js';
import { readWindows } from '../../src/jobs/perplexity/node/evaluationText.js';
import { createPool, SAMPLE } from '../support/checkpoints.js';

const SHARED = join(import.meta.dirname, '../../../shared');
const oracle = JSON.parse(await readFile(join(SHARED, 'golden-calibration/oracle.json'), 'utf8'));
const schemes: [string, string][] = (process.env.SCHEMES ?? 'gptq.int4.g128.ts=int4:g128+gptq')
  .split(' ')
  .map((s) => s.split('=', 2) as [string, string])
  .map(([a, b]) => [a, b.replaceAll('~', '=')]);

describe('oracle', () => {
  it.each(schemes)(
    '%s',
    async (name, text) => {
      const pool = await createPool({});
      const opened = await openLocalModel(SAMPLE);
      const model = await planLanguageModel(opened);
      const evalText = await readWindows(pool.host, model, {
        context: 256,
        windows: process.env.EVALW ? Number(process.env.EVALW) : undefined,
      });
      const entry = oracle.entries.sample[name];
      const calibText = await readWindows(pool.host, model, {
        textFile: join(SHARED, 'sample-model/calibration.txt'),
        context: entry.calib_length ?? 256,
        windows: process.env.CALW ? Number(process.env.CALW) : (entry.calib_windows ?? 64),
      });
      const scheme = parseScheme(text);
      const tensors = new Map(
        opened.tensors
          .filter((t) => t.quantizedByDefault)
          .map((t) => [t.name, getMatrixShape(t).columns]),
      );
      const folder = await mkdtemp(join(tmpdir(), 'calib-'));
      const t0 = performance.now();
      const made = await calibrateModel(
        {
          host: pool.host,
          pool: {},
          model,
          key: ['x'],
          windows: calibText.windows.ids,
          scaleDtype: 'f32',
          tensors,
          folder,
        },
        scheme,
        {},
      );
      const t1 = performance.now();
      const variant = { id: 'v', changes: made.changes };
      const r = await evaluate({
        pool,
        model,
        windows: evalText.windows.ids,
        variants: [variant],
        settings: { scaleDtype: 'f32', memoryBudgetBytes: 1 << 28 },
      });
      const p = computePerplexity(r.variants[0], r.baseline);
      const kl =
        r.variants[0].reduce((s, w) => s + w.divergence, 0) /
        r.variants[0].reduce((s, w) => s + w.targets, 0);
      console.log(
        name,
        text,
        'ppl',
        p.value,
        entry.ppl,
        'kl',
        kl,
        entry.kl,
        'ratio',
        kl / entry.kl,
        'calib ms',
        Math.round(t1 - t0),
        'eval',
        Math.round(performance.now() - t1),
      );
      if (process.env.FINDINGS) console.log(JSON.stringify(made.findings).slice(0, 3000));
      await pool.dispose();
      await rm(folder, { recursive: true });
    },
    600000,
  );
});
