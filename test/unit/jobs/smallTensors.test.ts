import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { expect, it } from 'vitest';
import type { Host, Thread } from '../../../src/host/host.js';
import { readGroupRanges } from '../../../src/jobs/inspection/groupRanges.js';
import { inspectModel } from '../../../src/jobs/inspection/inspectModel.js';
import {
  computeTensorStatistics,
  readTensorDetails,
} from '../../../src/jobs/inspection/tensorStatistics.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { Methods, Remote } from '../../../src/rpc/rpc.js';
import type { ElementTypeName } from '../../../src/storage/elementTypes.js';
import {
  createPool,
  HOST,
  syntheticWeights,
  temporaryFolder,
  writeCheckpoint,
  type TestTensor,
} from '../../support/checkpoints.js';

/** Values as an element type stores them; finer digits are cut. */
function tensorOf(dtype: ElementTypeName, shape: readonly number[], values: Float32Array) {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const stored = {
    F32: () => values,
    F64: () => Float64Array.from(values),
    BF16: () => Uint16Array.from(words, (word) => word >>> 16),
    I32: () => Int32Array.from(values, (value) => value * 1e6),
    I8: () => Int8Array.from(values, (value) => value * 1e3),
  }[dtype as 'F32']();
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  return { dtype, shape, bytes } satisfies TestTensor;
}

/** A host that adds up what its threads are sent and what they answer. */
function watchMessages(host: Host) {
  const messages = { count: 0, bytes: 0 };
  const startThread = <Api extends Methods<Api>>(...start: Parameters<Host['startThread']>) => {
    const thread = host.startThread<Api>(...start);
    const remote = new Proxy(thread.remote, {
      get: (target, method) => async (argument: unknown) => {
        const call = target[method as keyof Remote<Api>] as (task: unknown) => Promise<unknown>;
        const reply = await call(argument);
        messages.count++;
        messages.bytes += serialize(argument).length + serialize(reply).length;
        return reply;
      },
    });
    return Object.create(thread, { remote: { value: remote } }) as Thread<Api>;
  };
  return { messages, host: { ...host, startThread } satisfies Host };
}

it.each(['BF16', 'F32', 'F64', 'I32', 'I8'] as const)(
  'a thousand %s tensors of 2 × 2 take few and short messages',
  async (dtype) => {
    const { messages, host } = watchMessages(HOST);
    const pool = await createPool({}, host);
    const tensors = Array.from({ length: 1000 }, (_, i) => [
      `layers.${i}.w.weight`,
      tensorOf(dtype, [2, 2], syntheticWeights(4, i + 1)),
    ]);
    const model = await openLocalModel(
      await writeCheckpoint(Object.fromEntries(tensors) as Record<string, TestTensor>),
    );
    const report = await inspectModel(pool, model, { stats: true, groupSize: 0 });
    expect(report.tensors.filter(({ stats }) => stats?.count === 4)).toHaveLength(1000);
    expect(messages.count).toBeLessThan(50);
    expect(messages.bytes / 1000).toBeLessThan(1000);
  },
);

it.each(['BF16', 'F32', 'F64'] as const)(
  'a small %s tensor has the statistics of a larger one that holds the same weights',
  async (dtype) => {
    const small = syntheticWeights(4096, 7);
    small.fill(0, 100, 200);
    small[300] = -0;
    small[400] = Infinity;
    const large = new Float32Array(4097).fill(NaN);
    large.set(small);
    const pool = await createPool();
    const path = await writeCheckpoint({
      small: tensorOf(dtype, [1, 4096], small),
      large: tensorOf(dtype, [1, 4097], large),
    });
    const model = await openLocalModel(path);
    const [one, other] = await Promise.all(
      ['small', 'large'].map((tensor) => readTensorDetails(pool, model, { tensor, bins: 60 })),
    );
    expect(one.histogram).toEqual(other.histogram);
    const { count, nan, distinct, mean, std, skewness, kurtosis, ...exact } = one.statistics;
    expect(other.statistics).toMatchObject(exact);
    expect({ count, nan }).toEqual({ count: 4096, nan: 0 });
    expect(exact).toMatchObject({ inf: 1, firstNonFinite: 400, zeros: 101 });
    if (distinct !== undefined) expect(other.statistics.distinct).toBe(distinct + 1);
    for (const [name, value] of Object.entries({ mean, std, skewness, kurtosis })) {
      expect(value).toBeCloseTo(other.statistics[name as 'mean'], 12);
    }
    const byName = (name: string) => model.tensors.find((tensor) => tensor.name === name)!;
    const [groups, more] = await Promise.all(
      ['small', 'large'].map((name) => computeTensorStatistics(pool, byName(name), 64)),
    );
    expect(groups.groups).toMatchObject({ count: 64, size: 64 });
    // The larger one has a 65th group, of nothing but NaN.
    expect(groups.groups.asymmetry).toEqual(more.groups.asymmetry);
  },
);

it('groups of small tensors that are stored transposed run down their columns', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'config.json'), '{"model_type": "gpt2"}');
  const weights = syntheticWeights(24 * 72, 3);
  weights[5] = NaN;
  await writeCheckpoint(
    {
      'h.0.attn.c_attn.weight': tensorOf('BF16', [24, 72], weights),
      'h.0.ln_1.weight': tensorOf('F32', [24], syntheticWeights(24)),
      'h.1.attn.c_attn.weight': tensorOf('F32', [24, 72], weights),
      'h.1.attn.c_attn.empty': tensorOf('F32', [0], new Float32Array(0)),
    },
    folder,
  );
  const pool = await createPool();
  const model = await openLocalModel(folder);
  const { tensors } = await inspectModel(pool, model, { stats: true, groupSize: 7 });
  for (const name of ['h.0.attn.c_attn.weight', 'h.1.attn.c_attn.weight']) {
    const { stats, transposed } = tensors.find((tensor) => tensor.name === name)!;
    expect(transposed).toBe(true);
    expect(stats).toMatchObject({ nan: 1, firstNonFinite: 5, groups: { count: 72 * 4, size: 7 } });
    const ranges = await readGroupRanges(pool, model, {
      tensor: name,
      groupSize: 7,
      maxColumns: 9,
    });
    const { mean, p50, p95 } = ranges.asymmetry;
    expect(stats!.groups.asymmetry).toEqual({ mean, p50, p95 });
  }
  const others = tensors.filter(({ name }) => !name.includes('c_attn.weight'));
  expect(others.map(({ stats }) => stats?.count)).toEqual([24, undefined]);
});
