// Training the sample for formats of few bits on its calibration text: its perplexity over the whole evaluation text is
// lower than that of rounding to nearest.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../src/formats/index.js';
import { readWindows } from '../../src/jobs/perplexity/node/evaluationText.js';
import { selectTensors } from '../../src/jobs/selection.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import { computePerplexity } from '../../src/model/scores/perplexity.js';
import { trainWeights } from '../../src/model/training/trainWeights.js';
import { DEFAULT_TRAINING } from '../../src/model/training/types.js';
import { createPool, HOST, SAMPLE } from '../support/checkpoints.js';
import { openModel } from '../support/languageModels.js';

const CONTEXT = 256;

describe('training the sample lowers its perplexity', () => {
  it.each(['int2-asym:g64', 'int3-asym:g64'])('%s', { timeout: 1_800_000 }, async (name) => {
    const pool = await createPool();
    const model = await openModel(SAMPLE);
    const textOf = async (textFile: string) =>
      (await readWindows(HOST, model, { context: CONTEXT, textFile })).windows.ids;
    const text = await textOf(join(SAMPLE, 'calibration.txt'));
    const held = Math.ceil(text.length / 10);
    const names = selectTensors(model.opened, {}).map((tensor) => tensor.name);
    const format = parseFormat(name);
    const scaleDtype = 'f16' as const;
    const begin = performance.now();
    const { ofWeights, best, checks } = await trainWeights({
      ...{ pool, model, format, scaleDtype, settings: DEFAULT_TRAINING },
      ...{ windows: text.slice(0, -held), validation: text.slice(-held) },
      tensors: new Set(names),
    });
    const seconds = (performance.now() - begin) / 1000;
    const { baseline, variants } = await evaluate({
      ...{ pool, model, windows: await textOf(join(SAMPLE, 'eval.txt')) },
      variants: [
        { id: 'nearest', changes: new Map(names.map((each) => [each, { format }])) },
        {
          id: 'trained',
          changes: new Map([...ofWeights].map(([each, values]) => [each, { values }])),
        },
      ],
      settings: { scaleDtype, memoryBudgetBytes: 1 << 28 },
    });
    const [nearest, trained] = variants.map((scores) => computePerplexity(scores, baseline));
    const losses = checks.map(({ step, loss }) => `${step}: ${loss.toFixed(4)}`).join(', ');
    console.info(
      `${name}: nearest ${nearest.value.toFixed(4)}, trained ${trained.value.toFixed(4)} in ${seconds.toFixed(0)} s, best at step ${best.step}; divergence held back ${losses}`,
    );
    expect(trained.value).toBeLessThan(nearest.value);
    expect(trained.klDivergence!).toBeLessThan(nearest.klDivergence!);
  });
});
