// Importance matrices of mixtures: an entry of all experts of a block, each by the rows that are routed to it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodeImatrix } from '../../../src/gguf/imatrixBytes.js';
import { expertEntries } from '../../../src/jobs/imatrix/expertEntries.js';
import { readImportance } from '../../../src/jobs/imatrix/node/readImportance.js';
import { findExpertSquares } from '../../../src/model/calibration/expertSquares.js';
import { findImportance, findInputSquares } from '../../../src/model/calibration/inputSquares.js';
import { expertsOf, linearsOf } from '../../../src/model/config/plan.js';
import type { LanguageModel } from '../../../src/model/evaluation/types.js';
import { isRouter } from '../../../src/model/forward/block.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { createPool, temporaryFolder } from '../../support/checkpoints.js';
import { openModel, SETTINGS, someWindows } from '../../support/languageModels.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const MODELS = ['mixtral-window', 'mixtral-fused', 'qwen3_moe-dense-layer'];

const walkOf = async (model: LanguageModel, threads = 2) => ({
  pool: await createPool({ threads }),
  model,
  windows: someWindows(model, [30, 60, 12]),
  scaleDtype: 'f32' as const,
  tensors: new Set<string>(),
});

/** Tensors of a model's experts, each once. */
function expertTensors({ plan }: LanguageModel): string[] {
  const names = plan.blocks.flatMap((block) =>
    expertsOf(block).flatMap((expert) => linearsOf(expert).map(({ weight }) => weight)),
  );
  return [...new Set(names)];
}

describe.each(MODELS)('the importance of experts: %s', (name) => {
  it('is of the rows that go to each, as often as they do', async () => {
    const model = await openModel(join(OWN_MODELS, name));
    const request = await walkOf(model);
    const squares = await findExpertSquares(request);
    expect(await findExpertSquares(await walkOf(model, 1))).toEqual(squares);
    const all = await findInputSquares({ ...request, settings: SETTINGS });
    for (const [block, { feedForward }] of model.plan.blocks.entries()) {
      const own = squares.filter((each) => each.block === block);
      expect(own.length).toBe(isRouter(feedForward) ? 2 * feedForward.experts.length : 0);
      if (!isRouter(feedForward)) continue;
      // Each row counts once for each of its experts.
      const { sums, rows } = all.get(feedForward.router.weight)!;
      const first = own.filter(({ site }) => site === 'feedForward');
      const times = feedForward.expertsPerRow;
      expect(first.reduce((sum, each) => sum + each.rows, 0)).toBe(times * rows);
      for (const [input, sum] of sums.entries()) {
        const ofExperts = first.reduce((total, each) => total + each.sums[input], 0);
        expect(ofExperts / (times * sum)).toBeCloseTo(1, 5);
      }
      const down = own.filter(({ site }) => site === 'down');
      expect(down.map((each) => each.rows)).toEqual(first.map((each) => each.rows));
    }
  });

  it('is read back from a file as it was found', async () => {
    const model = await openModel(join(OWN_MODELS, name));
    const request = await walkOf(model);
    const entries = expertEntries(await findExpertSquares(request));
    const blocks = model.plan.blocks.flatMap((block, index) =>
      expertsOf(block).length ? [index] : [],
    );
    const modules = ['ffn_gate_exps', 'ffn_up_exps', 'ffn_down_exps'];
    expect([...entries.keys()]).toEqual(
      blocks.flatMap((block) => modules.map((module) => `blk.${block}.${module}.weight`)),
    );
    const path = join(await temporaryFolder(), 'imatrix.gguf');
    const matrix = { datasets: [], chunkCount: 1, chunkSize: 1, entries };
    await writeFile(path, Buffer.concat(encodeImatrix(matrix)));
    const tensors = expertTensors(model);
    const given = await readImportance(path, { files: localFileSystem, model, tensors });
    expect(given.notes.join()).not.toContain('no entry');
    const found = await findImportance({ ...request, base: new Map() }, {});
    for (const block of model.plan.blocks) {
      for (const [expert, maps] of expertsOf(block).entries()) {
        for (const { weight } of linearsOf(maps)) {
          const [read, seen] = [given.of(weight, expert), found(weight, expert)];
          expect(read === undefined, `${weight} ${expert}`).toBe(seen === undefined);
          read?.forEach((value, input) => expect(value / seen![input]).toBeCloseTo(1, 5));
        }
      }
    }
  });

  it('refuses a file of other experts', async () => {
    const model = await openModel(join(OWN_MODELS, name));
    const entries = expertEntries(await findExpertSquares(await walkOf(model)));
    const [[weight, entry]] = entries;
    const fewer = {
      ...entry,
      matrices: 1,
      sums: entry.sums.slice(0, entry.inputs),
      counts: entry.counts.slice(0, 1),
    };
    const path = join(await temporaryFolder(), 'imatrix.gguf');
    const matrix = {
      datasets: [],
      chunkCount: 1,
      chunkSize: 1,
      entries: new Map([...entries, [weight, fewer]]),
    };
    await writeFile(path, Buffer.concat(encodeImatrix(matrix)));
    const tensors = expertTensors(model);
    await expect(readImportance(path, { files: localFileSystem, model, tensors })).rejects.toThrow(
      /experts where the model's .*: this is the importance matrix of another model/,
    );
  });
});
