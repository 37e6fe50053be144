// What calibration sees of each expert's inputs, against plain loops in f64 over the rows that are routed to it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { sumGram } from '../../../src/methods/gram/gram.js';
import { CalibrationWalk } from '../../../src/model/calibration/calibrationWalk.js';
import { EXPERT_SITES } from '../../../src/model/calibration/expertSites.js';
import { sampleInputs } from '../../../src/model/calibration/sampleInputs.js';
import { gatherStatistics } from '../../../src/model/calibration/siteStatistics.js';
import type { LanguageModel, TensorChange } from '../../../src/model/evaluation/types.js';
import { isRouter } from '../../../src/model/forward/block.js';
import { HOST } from '../../support/checkpoints.js';
import { openModel, someWindows } from '../../support/languageModels.js';
import { activated, shares } from '../../support/plainMixture.js';
import { PlainLayers, rowsOf, type Rows } from '../../support/plainLinear.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const MODELS = [
  'mixtral-window',
  'mixtral-fused',
  'qwen3_moe-dense-layer',
  'qwen3_moe-fused',
  'qwen3_moe-sparse-step',
];

/** What is seen of one expert at one site. */
interface Seen {
  readonly rows: number;
  readonly gram: Float64Array;
  readonly meanAbs: Float32Array;
  readonly maxAbs: Float32Array;
  readonly sample: Float32Array;
}

/** A router's inputs in a block, and what is seen of its experts, by block. */
interface SeenBlock {
  readonly routed: Rows;
  readonly experts: ReadonlyMap<string, Seen>;
}

async function seeExperts(pool: WorkerPool, model: LanguageModel): Promise<SeenBlock[]> {
  const walk = new CalibrationWalk(
    {
      pool,
      model,
      windows: someWindows(model, [30, 60, 2]),
      format: parseFormat('int4'),
      scaleDtype: 'f32',
      tensors: new Set(),
      base: new Map<string, TensorChange>(),
      parts: {
        get: () => Promise.resolve(undefined),
        put: () => Promise.reject(new Error('Nothing is calibrated here')),
      },
    },
    {},
  );
  const at = pool.reserve(1 << 20).start;
  const stored = () => undefined;
  const blocks: SeenBlock[] = [];
  await walk.run(async (block) => {
    await walk.loadVectors(block, stored);
    for (const site of ['attention', 'attentionOutput'] as const) {
      await walk.pack(block, walk.siteOf(block, site).linears, stored);
      await walk.pass(site, block, stored);
    }
    const routed = await sampleInputs(walk, walk.siteOf(block, 'feedForward'), Infinity);
    const experts = new Map<string, Seen>();
    for (const name of EXPERT_SITES) {
      for (const site of await walk.expertSitesOf(block, name, stored)) {
        const [{ inputs }] = site.linears;
        const gram = { at, order: inputs };
        await sumGram(pool, gram, (add) => site.observe(({ matrix, rows }) => add(matrix, rows)));
        const products = new Float64Array(pool.memory.buffer, at, inputs * inputs).slice();
        if (site.rows === 0) {
          experts.set(site.name, {
            ...{ rows: 0, gram: products, sample: new Float32Array(0) },
            ...{ meanAbs: new Float32Array(0), maxAbs: new Float32Array(0) },
          });
          continue;
        }
        const { meanAbs, maxAbs } = await gatherStatistics(walk, site, at);
        const { values: sample } = await sampleInputs(walk, site, 5);
        experts.set(site.name, { rows: site.rows, gram: products, meanAbs, maxAbs, sample });
      }
    }
    blocks.push({ routed: rowsOf(routed.values, routed.inputs), experts });
    for (const site of ['feedForward', 'down'] as const) {
      await walk.pack(block, walk.siteOf(block, site).linears, stored);
      await walk.pass(site, block, stored);
    }
  });
  return blocks;
}

const threadsOf = (threads: number) =>
  WorkerPool.create({ ...HOST, parallelism: threads }, { threads });

function expectNear(actual: ArrayLike<number>, expected: readonly number[], what: string): void {
  expect(actual.length, what).toBe(expected.length);
  const most = Math.max(...expected.map(Math.abs));
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i] - value), `${what}, ${i}`).toBeLessThanOrEqual(1e-5 * most);
  });
}

/** Every ⌊T/atMost⌋-th row. */
function sampled(rows: Rows, atMost: number): number[] {
  const step = Math.max(1, Math.floor(rows.length / atMost));
  return rows.filter((_, row) => row % step === 0).flatMap((row) => [...row]);
}

function expectSeen(seen: Seen, rows: Rows, what: string): void {
  expect(seen.rows, what).toBe(rows.length);
  if (rows.length === 0) {
    expect(seen.gram.every((value) => value === 0)).toBe(true);
    return;
  }
  const inputs = [...rows[0].keys()];
  const gram = inputs.flatMap((i) =>
    inputs.map((j) => rows.reduce((sum, row) => sum + row[i] * row[j], 0)),
  );
  expectNear(seen.gram, gram, `${what}, gram`);
  const means = inputs.map((i) => rows.reduce((sum, row) => sum + Math.abs(row[i]), 0));
  expectNear(
    seen.meanAbs,
    means.map((sum) => sum / rows.length),
    `${what}, mean`,
  );
  const largest = inputs.map((i) => Math.max(...rows.map((row) => Math.abs(row[i]))));
  expectNear(seen.maxAbs, largest, `${what}, largest`);
  expectNear(seen.sample, sampled(rows, 5), `${what}, sample`);
}

describe('what calibration sees of experts', () => {
  it.each(MODELS)('is what is routed to each: %s', async (name) => {
    const model = await openModel(join(OWN_MODELS, name));
    const pool = await threadsOf(2);
    try {
      const blocks = await seeExperts(pool, model);
      const plain = new PlainLayers(pool, model);
      for (const [index, { feedForward }] of model.plan.blocks.entries()) {
        const { routed, experts } = blocks[index];
        if (!isRouter(feedForward)) {
          expect(experts.size).toBe(0);
          continue;
        }
        expect(experts.size).toBe(2 * feedForward.experts.length);
        const logits = await plain.linear(feedForward.router, routed);
        const chosen = logits.map((each) => shares(feedForward, each));
        let taken = 0;
        for (const [expert, plan] of feedForward.experts.entries()) {
          const rows = routed.filter((_, row) => chosen[row].has(expert));
          taken += rows.length;
          const what = `block ${index}, expert ${expert}`;
          expectSeen(experts.get(`expert-${expert}-feedForward`)!, rows, what);
          const parts = await Promise.all(plan.projections.map((map) => plain.linear(map, rows)));
          const down = rows.length === 0 ? [] : activated(plan, parts);
          expectSeen(experts.get(`expert-${expert}-down`)!, down, `${what}, down`);
        }
        expect(taken).toBe(routed.length * feedForward.expertsPerRow);
      }
    } finally {
      await pool.dispose();
    }
  });

  it('does not depend on the number of threads', async () => {
    const model = await openModel(join(OWN_MODELS, 'qwen3_moe-fused'));
    const results: SeenBlock[][] = [];
    for (const threads of [1, 3]) {
      const pool = await threadsOf(threads);
      results.push(await seeExperts(pool, model));
      await pool.dispose();
    }
    expect(results[1]).toEqual(results[0]);
  });
});
