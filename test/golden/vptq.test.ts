// Vector quantization against outputs of the original code on one layer, from its own centroids.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../src/compute/workerPool.js';
import { factorInputs } from '../../src/methods/vptq/factorInputs.js';
import { VptqLayer } from '../../src/methods/vptq/layer.js';
import { readSettings } from '../../src/methods/vptq/settings.js';
import { trainCodebook } from '../../src/methods/vptq/trainCodebook.js';
import { HOST } from '../support/checkpoints.js';
import { floatsOf, readRawSafetensors } from '../support/rawSafetensors.js';
import { placeScene, quantizeVectors, vptqOptions } from '../support/vptq.js';

interface Entry {
  readonly name: string;
  readonly proxy_error: number;
}

const fixtures = new URL('../fixtures/', import.meta.url);
const manifest = readFileSync(new URL('golden-calibration/vptq.json', fixtures), 'utf8');
const { entries } = JSON.parse(manifest) as { readonly entries: readonly Entry[] };
const tensors = readRawSafetensors(new URL('layouts/vptq.safetensors', fixtures));
const bufferOf = (name: string) => tensors.get(name)!.bytes.buffer as ArrayBuffer;
const floats = (name: string) => floatsOf(tensors.get(name)!);
const doubles = (name: string) => new Float64Array(bufferOf(name));
const integers = (name: string) => new Int32Array(bufferOf(name));
const [OUTPUTS, INPUTS] = tensors.get('W')!.shape;
const SCENE = { weights: floats('W'), outputs: OUTPUTS, inputs: INPUTS, gram: floats('H') };

/** The settings that each vector was made with. */
const SCHEMES: Readonly<Record<string, string>> = {
  v4_k16: 'vptq-v4-k16',
  v4_k16_r8_perm: 'vptq-v4-k16-r8:perm',
  v4_k16_r8_perm_norm: 'vptq-v4-k16-r8:perm:norm',
  v4_k16_out2_k8: 'vptq-v4-k16:outliers=10:outlier-v=2:outlier-k=8',
  v4_k16_groups2: 'vptq-v4-k16:perm:groups=2',
};
const CASES = entries.filter(({ name }) => name !== 'kmeans');

/** tr(ΔW·H·ΔWᵀ)/tr(W·H·Wᵀ). */
function proxyError(quantized: Float32Array): number {
  const form = (of: (at: number) => number) => {
    let sum = 0;
    for (let row = 0; row < OUTPUTS; row++) {
      for (let i = 0; i < INPUTS; i++) {
        for (let j = 0; j < INPUTS; j++) {
          sum += of(row * INPUTS + i) * of(row * INPUTS + j) * SCENE.gram[i * INPUTS + j];
        }
      }
    }
    return sum;
  };
  return form((at) => quantized[at] - SCENE.weights[at]) / form((at) => SCENE.weights[at]);
}

describe.each(['reference', 'wasm'] as const)('VPTQ with %s kernels', (backend) => {
  let pool: WorkerPool;
  beforeAll(async () => {
    pool = await WorkerPool.create(HOST, { backend });
  });
  afterAll(() => pool.dispose());

  it('has all vectors', () => {
    expect(CASES.map(({ name }) => name).sort()).toEqual(Object.keys(SCHEMES).sort());
  });

  it.each(CASES)('$name: decodes to the same bits from given centroids', async (entry) => {
    const { name } = entry;
    const { site, gram, read } = placeScene(pool, SCENE);
    const settings = readSettings(vptqOptions(SCHEMES[name]));
    const { seen, added } = await factorInputs(site, gram, settings, {});
    expect(seen.order && [...seen.order]).toEqual(
      tensors.has(`${name}.perm`) ? [...integers(`${name}.perm`)] : undefined,
    );
    const layer = new VptqLayer(pool, site.linears[0], seen, settings, {});
    const stored = (part: string) => {
      const values = floats(`${name}.${part}`);
      return seen.order ? Float32Array.from(seen.order, (input) => values[input]) : values;
    };
    await layer.copyWeights(
      settings.normalized
        ? { scales: stored('weight_scale'), biases: stored('weight_bias') }
        : undefined,
    );
    const whole = await layer.measure('weights');
    const main = layer.groups.filter(({ centroids }) => centroids === 16);
    for (const [index, group] of layer.groups.entries()) {
      const isMain = main.includes(group);
      const part = isMain ? 'centroids' : 'outlier_centroids';
      const size = group.centroids * group.length;
      const at = isMain ? size * (index - layer.groups.length + main.length) : 0;
      pool.write(group.codebook, floats(`${name}.${part}`).slice(at, at + size));
      if (group.residualCentroids > 0) {
        pool.write(group.residualCodebook, floats(`${name}.res_centroids`).slice());
      }
    }
    const loss = await layer.encode();
    await layer.restoreWeights();
    expect([...read()]).toEqual([...floats(name)]);
    const undamped = ({ products, squares }: typeof loss) => products - added * squares;
    expect(undamped(loss) / undamped(whole) / entry.proxy_error).toBeCloseTo(1, 6);
    expect(proxyError(read()) / entry.proxy_error).toBeCloseTo(1, 6);
  });

  it('weighted k-means finds the same labels and centroids from given ones', async () => {
    const [count, length] = tensors.get('kmeans.X')!.shape;
    const [centroids] = tensors.get('kmeans.init')!.shape;
    const x = doubles('kmeans.X');
    // One row of vectors, components below each other.
    const at = pool.reserve(count * length * 4).start;
    const columns = Float32Array.from(x, (_, i) => x[(i % count) * length + Math.floor(i / count)]);
    pool.write(at, columns);
    const codebook = pool.reserve(centroids * length * 4).start;
    const found = await trainCodebook(
      pool,
      {
        matrix: { at, stride: count },
        columns: { first: 0, end: count },
        ...{ length, vectors: 1, weights: doubles('kmeans.w') },
      },
      { first: Float32Array.from(doubles('kmeans.init')), codebook, iterations: 100, tolerance: 0 },
      {},
    );
    doubles('kmeans.centers').forEach((value, i) => {
      expect(Math.abs(found[i] - value)).toBeLessThan(1e-7);
    });
    const labels = Array.from({ length: count }, (_, i) => {
      const distances = Array.from({ length: centroids }, (_, c) =>
        Math.hypot(...Array.from({ length }, (_, u) => x[i * length + u] - found[c * length + u])),
      );
      return distances.indexOf(Math.min(...distances));
    });
    expect(labels).toEqual([...integers('kmeans.labels')]);
  });

  it.each(CASES)(
    '$name: every stage from own centroids lowers the proxy error',
    async ({ name }) => {
      const { weights, finding } = await quantizeVectors(pool, SCENE, SCHEMES[name]);
      const { kMeansProxy, passProxy, residualProxy } = finding.values;
      expect(passProxy).toBeLessThan(Number(kMeansProxy));
      expect(residualProxy === undefined).toBe(!name.includes('_r8'));
      if (residualProxy !== undefined) expect(residualProxy).toBeLessThan(Number(passProxy));
      expect(proxyError(weights) / Number(residualProxy ?? passProxy)).toBeCloseTo(1, 4);
    },
  );
});
