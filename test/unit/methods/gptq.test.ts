// GPTQ's step: against the original loop, and what it does where that has no answer.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import type { StepOptions } from '../../../src/methods/types.js';
import { GPTQ } from '../../../src/methods/entries/gptq.js';
import { createPool, HOST } from '../../support/checkpoints.js';
import { gptqOptions, plainGram, quantizeOn } from '../../support/gptq.js';
import { plainGptq } from '../../support/plainGptq.js';
import { Random } from '../../support/forwardScene.js';

/** Weights and products of inputs that go together, as those of a model do. */
function layer(outputs: number, inputs: number, rows: number, seed = 1) {
  const random = new Random(seed);
  const x = random.floats(rows * inputs);
  for (let i = 1; i < x.length; i++) if (i % inputs > 0) x[i] += 0.6 * x[i - 1];
  return {
    weights: random.floats(outputs * inputs),
    outputs,
    inputs,
    rows,
    gram: plainGram(x, inputs),
  };
}

type Layer = ReturnType<typeof layer>;

/** The same by the original loop. */
function expected(scene: Layer, format: string, given: StepOptions = {}): Float32Array {
  const options = gptqOptions(given);
  return plainGptq({
    ...scene,
    format: parseFormat(format),
    damp: options.damp as number,
    block: options.block as number,
    actOrder: options['act-order'] as boolean,
    staticGroups: options['static-groups'] as boolean,
  });
}

const different = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, i) => sum + (Math.abs(value - b[i]) > 1e-6 ? 1 : 0), 0);

let pools: Record<'reference' | 'wasm', WorkerPool>;
beforeAll(async () => {
  const create = (backend: 'reference' | 'wasm') =>
    WorkerPool.create({ ...HOST, parallelism: 2 }, { backend, threads: 2 });
  pools = { reference: await create('reference'), wasm: await create('wasm') };
});
afterAll(async () => {
  for (const pool of Object.values(pools)) await pool.dispose();
});

describe.each(['reference', 'wasm'] as const)('GPTQ with %s kernels', (backend) => {
  const shapes: [number, number, string, StepOptions][] = [
    [5, 37, 'int4-asym:g16', {}],
    [3, 150, 'int4-sym:g32', {}],
    [6, 135, 'int3-asym:g50', { block: 30 }],
    [4, 97, 'afp4:g100', { block: 10 }],
    [4, 300, 'int4-asym:g128', { block: 128 }],
    [2, 70, 'nf4:g64', { block: 1 }],
    [7, 61, 'int4-awq:g8', { 'act-order': true }],
    [3, 133, 'int4-asym:g32', { 'act-order': true, 'static-groups': true, block: 64 }],
    [3, 90, 'dint4:g32', { damp: 0.1 }],
    [3, 64, 'mxfp4', { block: 24 }],
    [3, 80, 'mxfp4', { 'act-order': true }],
    [3, 64, 'nvfp4', { block: 24 }],
    [4, 40, 'int4-sym:tensor', {}],
    [4, 50, 'int3-asym:row', { 'act-order': true }],
    [2, 40, 'int4-asym:g20+mse', { block: 16 }],
    [2, 40, 'nf3:row+clip', {}],
    [2, 64, 'bnb-nf4', {}],
    [1, 1, 'int2-asym:g32', {}],
    [2, 24, 'bf16', {}],
  ];

  it.each(shapes)('%i × %i %s %o: as the original loop', async (outputs, inputs, format, given) => {
    const scene = layer(outputs, inputs, 2 * inputs + 10);
    const { weights } = await quantizeOn(pools[backend], { ...scene, format, options: given });
    const fixed = parseFormat(format).entry.fixedGroup !== undefined && given['act-order'] === true;
    const plain = expected(scene, format, fixed ? { ...given, 'static-groups': true } : given);
    expect(different(weights, plain)).toBe(0);
  });

  it('makes dead inputs zero, and says so', async () => {
    const scene = layer(5, 40, 100);
    for (const input of [0, 17, 39]) {
      for (let i = 0; i < 40; i++) scene.gram[input * 40 + i] = scene.gram[i * 40 + input] = 0;
    }
    for (const given of [{ 'act-order': false }, { 'act-order': true }]) {
      const format = 'int4-asym:g16';
      const { weights, findings } = await quantizeOn(pools[backend], {
        ...scene,
        format,
        options: given,
      });
      expect(different(weights, expected(scene, format, given))).toBe(0);
      expect(weights[17]).toBe(0);
      expect(findings[0].notes).toEqual([
        '3 inputs were zero in all rows; their weights became zero.',
      ]);
    }
  });

  it('raises the damping where products have no factor, and says so', async () => {
    // Two inputs that are always the same, and fewer rows than inputs.
    const scene = layer(3, 150, 20);
    const format = 'int4-asym:g32';
    const { weights, findings } = await quantizeOn(pools[backend], {
      ...scene,
      format,
      options: { damp: 0 },
    });
    const damping = findings[0].values.damping as number;
    expect(damping).toBeGreaterThan(0);
    expect(damping).toBeLessThan(0.1);
    expect(findings[0].notes?.join()).toContain(`damping of 0; it was raised to ${damping}`);
    expect(different(weights, expected(scene, format, { damp: damping }))).toBe(0);
  });

  it('quantizes with fewer rows than inputs as they are damped', async () => {
    const scene = layer(3, 150, 20);
    const { weights, findings } = await quantizeOn(pools[backend], {
      ...scene,
      format: 'int4-asym:g32',
    });
    expect(different(weights, expected(scene, 'int4-asym:g32'))).toBe(0);
    expect(findings[0].notes).toEqual([]);
  });

  it('reports the loss of the outputs', async () => {
    const scene = layer(4, 48, 200);
    const { weights, findings } = await quantizeOn(pools[backend], {
      ...scene,
      format: 'int3-asym:g16',
      options: { damp: 0 },
    });
    let sum = 0;
    for (let row = 0; row < 4; row++) {
      const error = (i: number) => weights[row * 48 + i] - scene.weights[row * 48 + i];
      for (let i = 0; i < 48; i++) {
        for (let j = 0; j < 48; j++) sum += error(i) * error(j) * scene.gram[i * 48 + j];
      }
    }
    const { loss, lossByInput, inputsPerBin } = findings[0].values;
    expect((loss as number) / (sum / 200)).toBeCloseTo(1, 9);
    expect(inputsPerBin).toBe(1);
    const byInput = lossByInput as readonly number[];
    expect(byInput.length).toBe(48);
    const total = byInput.reduce((all, value) => all + value, 0);
    expect(total / (loss as number)).toBeCloseTo(1, 4);
  });
});

describe('GPTQ', () => {
  it('gives the same bits with any number of threads', async () => {
    const scene = layer(70, 333, 400);
    const results = new Set<string>();
    for (const threads of [1, 2, 3]) {
      const pool = await createPool({ threads });
      const { weights, findings } = await quantizeOn(pool, { ...scene, format: 'nf3:g48' });
      results.add(Buffer.from(weights.buffer).toString('hex') + JSON.stringify(findings));
    }
    expect(results.size).toBe(1);
  });

  it('loses less than rounding to nearest', async () => {
    const scene = layer(16, 200, 500);
    const { weights } = await quantizeOn(pools.wasm, { ...scene, format: 'int3-asym:g64' });
    const identity = new Float64Array(200 * 200);
    for (let i = 0; i < 200; i++) identity[i * 201] = 1;
    const nearest = await quantizeOn(pools.wasm, {
      ...scene,
      gram: identity,
      format: 'int3-asym:g64',
    });
    const loss = (values: Float32Array) => {
      let sum = 0;
      for (let row = 0; row < 16; row++) {
        const error = (i: number) => values[row * 200 + i] - scene.weights[row * 200 + i];
        for (let i = 0; i < 200; i++) {
          for (let j = 0; j < 200; j++) sum += error(i) * error(j) * scene.gram[i * 200 + j];
        }
      }
      return sum;
    };
    expect(loss(weights)).toBeLessThan(0.8 * loss(nearest.weights));
  });

  it('names the block and the tensors of inputs that are not finite', async () => {
    const scene = layer(2, 8, 20);
    scene.gram[27] = NaN;
    await expect(quantizeOn(pools.wasm, { ...scene, format: 'int4' })).rejects.toThrow(
      'The inputs of block 0 (w) are not all finite numbers',
    );
  });

  it('refuses what fits whole blocks, and blocks that cross rows', async () => {
    expect(GPTQ.refuses(parseFormat('q4_k'))).toMatch(/^GPTQ .* whole block at once\.$/);
    expect(GPTQ.refuses(parseFormat('int4'))).toBeUndefined();
    const scene = layer(2, 40, 60);
    await expect(quantizeOn(pools.wasm, { ...scene, format: 'q4_k' })).rejects.toThrow('GPTQ');
    await expect(quantizeOn(pools.wasm, { ...scene, format: 'bnb-nf4' })).rejects.toThrow(
      'w have 40 inputs',
    );
  });

  it('stops when it is cancelled', async () => {
    const controller = new AbortController();
    controller.abort();
    const scene = { ...layer(2, 8, 20), signal: controller.signal };
    await expect(quantizeOn(pools.wasm, { ...scene, format: 'int4' })).rejects.toThrow();
  });
});
