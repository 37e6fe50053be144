// What quantizing a site's weights costs, against plain sums over the rows that an observer sees.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { CalibrationWalk } from '../../../src/model/calibration/calibrationWalk.js';
import { SiteLoss } from '../../../src/model/calibration/siteLoss.js';
import type { TensorChange } from '../../../src/model/evaluation/types.js';
import { INPUT_SITES, linearsAt, type InputSite } from '../../../src/model/forward/block.js';
import { HOST } from '../../support/checkpoints.js';
import { logicalValues, openGolden, someWindows } from '../../support/languageModels.js';
import { rowsOf, type Rows } from '../../support/plainLinear.js';
import { scaledAndBack } from '../../support/scalingGroup.js';

let pool: WorkerPool;

beforeAll(async () => {
  pool = await WorkerPool.create({ ...HOST, parallelism: 2 }, { threads: 2 });
});

afterAll(() => pool.dispose());

const format = parseFormat('int3:g16');

/** Visits the first block of a model, where it stands before each site. */
async function visit(
  use: (scene: {
    readonly loss: SiteLoss;
    readonly site: InputSite;
    readonly inputs: Rows;
    readonly walk: CalibrationWalk;
    readonly block: Parameters<Parameters<CalibrationWalk['run']>[0]>[0];
  }) => Promise<void>,
): Promise<void> {
  const model = await openGolden('llama-gqa-llama3rope');
  const linears = INPUT_SITES.flatMap((site) => linearsAt(model.plan.blocks[0], site));
  const walk = new CalibrationWalk(
    {
      ...{ pool, model, windows: someWindows(model, [40, 61]), format, scaleDtype: 'f32' },
      tensors: new Set(linears.map(({ weight }) => weight)),
      base: new Map<string, TensorChange>(),
      parts: {
        get: () => Promise.resolve(undefined),
        put: () => Promise.reject(new Error('Nothing is calibrated here')),
      },
    },
    {},
  );
  const loss = new SiteLoss(walk);
  let isDone = false;
  await walk.run(async (block) => {
    if (isDone) return;
    isDone = true;
    const before = (name: string) => walk.request.base.get(name);
    await walk.loadVectors(block, before);
    for (const site of INPUT_SITES) {
      // Attention's weights and those of the feed-forward part lie in the same memory.
      const near = INPUT_SITES.filter((each) => partOf(each) === partOf(site));
      const packed = near.flatMap((each) => linearsAt(block.plan, each));
      await walk.pack(block, packed, before);
      const inputs: Float64Array[] = [];
      await walk.stages.observe(site, block.placed, ({ matrix, rows }) => {
        const { inputs: columns } = linearsAt(block.plan, site)[0];
        const values = new Float32Array(pool.memory.buffer, matrix.at, rows * matrix.stride);
        const all = rowsOf(values.slice(), matrix.stride);
        inputs.push(...all.map((row) => row.subarray(0, columns)));
        return Promise.resolve();
      });
      await use({ loss, site, inputs, walk, block });
      await walk.pass(site, block, before);
    }
  });
}

const partOf = (site: InputSite) => (site.startsWith('attention') ? 'attention' : 'feedForward');

describe('the loss of linear maps', () => {
  it('is that of their outputs over all rows, with and without factors', async () => {
    const seen: InputSite[] = [];
    await visit(async ({ loss, site, inputs, walk, block }) => {
      const linears = linearsAt(block.plan, site);
      const columns = linears[0].inputs;
      const { model } = walk.request;
      const factors = Float32Array.from({ length: columns }, (_, i) => 0.5 + ((i * 7) % 11) / 4);
      for (const each of [undefined, factors, factors]) {
        let [sum, outputs] = [0, 0];
        for (const linear of linears) {
          const weights = await logicalValues(pool, model, linear.weight);
          const changed = scaledAndBack(format, Float32Array.from(weights), columns, each);
          outputs += linear.outputs;
          for (let at = 0; at < changed.length; at += columns) {
            for (const row of inputs) {
              let error = 0;
              for (let i = 0; i < columns; i++)
                error += (changed[at + i] - weights[at + i]) * row[i];
              sum += error * error;
            }
          }
        }
        const actual = await loss.ofLinears(block, site, new Float32Array(columns), each);
        expect(Math.abs(actual / (sum / inputs.length / outputs) - 1), site).toBeLessThan(2e-5);
      }
      seen.push(site);
    });
    expect(seen).toEqual([...INPUT_SITES]);
  });
});

describe('the loss of a module', () => {
  it('is the same after others, and gives up above a limit only', async () => {
    await visit(async ({ loss, site, block }) => {
      if (site !== 'attention' && site !== 'feedForward') return;
      const { inputs } = linearsAt(block.plan, site)[0];
      const factors = Float32Array.from({ length: inputs }, (_, i) => 1 + (i % 5));
      const plain = await loss.ofModule(block, site);
      const scaled = await loss.ofModule(block, site, factors);
      expect(scaled).not.toBe(plain);
      expect(await loss.ofModule(block, site, undefined, plain)).toBe(plain);
      expect(await loss.ofModule(block, site, factors, plain / 100)).toBeGreaterThan(plain / 100);
      expect(await loss.ofModule(block, site, factors)).toBe(scaled);
    });
  });
});
