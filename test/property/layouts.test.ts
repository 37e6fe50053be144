import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openStoredSources } from '../../src/layouts/node/openStored.js';
import { openModel } from '../../src/model/openModel.js';
import { countSourceBytes } from '../../src/checkpoint/types.js';
import { CheckpointError } from '../../src/storage/errors.js';
import { memoryFiles } from '../support/memoryFileSystem.js';
import {
  ALL_TYPES,
  fileOf,
  NF4_STATE,
  quantState,
  SCENES,
  type ScenePart,
  type WeightScene,
} from '../support/storedWeightScenes.js';

/** What became of a weight. */
interface Outcome {
  readonly decoded: boolean;
  /** Why it cannot be decoded, or read. */
  readonly refusals: readonly string[];
}

/** One weight in every part's bits: more could only be made up. */
const MOST_ELEMENTS = 100_000;

/** Opens and decodes it all. What cannot be done has to be a refusal in one line that names the tensor. */
async function decode(
  parts: Readonly<Record<string, ScenePart>>,
  quantization: unknown,
): Promise<Outcome> {
  const config = new TextEncoder().encode(JSON.stringify({ quantization_config: quantization }));
  const files = memoryFiles({ 'model.safetensors': fileOf(parts), 'config.json': config });
  const refusals: string[] = [];
  try {
    const model = await openModel('memory:/model/model.safetensors', files);
    refusals.push(...[...model.undecodable].map(([name, reason]) => `${name}: ${reason}`));
    for (const { message } of model.notes) expect(message.length).toBeLessThan(1000);
    let decoded = false;
    for (const tensor of model.tensors.filter(({ storage }) => storage)) {
      expect(tensor.elements).toBeLessThan(MOST_ELEMENTS);
      const values = new Float32Array(countSourceBytes(tensor) / 4);
      const sources = openStoredSources();
      await sources.read(tensor.source, 0, new Uint8Array(values.buffer));
      await sources.close();
      // Unless a power of two is that of NaN, all parts are finite: NaN comes of what is not there.
      const hasNaN = Object.values(parts).some(
        ({ dtype, bytes }) => (dtype === 'U8' || dtype === 'F8_E8M0') && bytes?.includes(255),
      );
      if (!hasNaN) expect(values.findIndex(Number.isNaN)).toBe(-1);
      decoded = true;
    }
    return { decoded, refusals };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    expect(error.message).toMatch(/^model\.safetensors: tensor "m[^\n]*$/);
    return { decoded: false, refusals: [...refusals, error.message] };
  }
}

const dimension = fc.oneof(fc.nat(9), fc.constantFrom(1, 2, 8, 16, 32, 64, 65));
const shape = fc.array(dimension, { maxLength: 4 });

/** A part of another type, of another shape, of other contents, or none. */
function mutationOf({ parts }: WeightScene) {
  const name = fc.constantFrom(...Object.keys(parts));
  const all = Object.entries(parts);
  return fc
    .record({
      name,
      kind: fc.constantFrom('dtype', 'shape', 'longer', 'shorter', 'contents', 'missing'),
      dtype: fc.constantFrom(...ALL_TYPES),
      shape,
      axis: fc.nat(3),
      contents: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    })
    .map((change) => {
      const old = parts[change.name];
      const axis = change.axis % Math.max(1, old.shape.length);
      const resized = (by: number) =>
        old.shape.map((size, i) => (i === axis ? Math.max(0, size + by) : size));
      const mutants: Readonly<Record<typeof change.kind, ScenePart | undefined>> = {
        dtype: { ...old, dtype: change.dtype },
        shape: { ...old, shape: change.shape },
        longer: { ...old, shape: resized(1) },
        shorter: { ...old, shape: resized(-1) },
        // Of what has no NaN.
        contents: /^[IU]/.test(old.dtype) ? { ...old, bytes: change.contents } : old,
        missing: undefined,
      };
      const mutant = mutants[change.kind];
      const others = all.filter(([each]) => each !== change.name);
      return Object.fromEntries(mutant ? [...others, [change.name, mutant] as const] : others);
    })
    .filter((mutated) =>
      Object.values(mutated).every(
        ({ dtype, shape: sizes }) =>
          !/^F[46]/.test(dtype) || sizes.reduce((product, size) => product * size, 1) % 8 === 0,
      ),
    )
    .filter((mutated) => !Object.values(mutated).some(({ dtype }) => dtype.startsWith('F6_')));
}

const oddNumber = fc.constantFrom<unknown>(
  ...[0, -1, 1, 2, 3, 5, 31, 33, 2 ** 31, 2 ** 53, 1e308, 0.5, '4', null, [], {}, true, [4, 1e15]],
);

/** The configuration with one of its values, at any depth, replaced. */
function oddConfigs(config: unknown): fc.Arbitrary<unknown> {
  if (typeof config !== 'object' || config === null) return oddNumber;
  const entries = Object.entries(config);
  if (entries.length === 0) return oddNumber;
  const changed = fc.nat(entries.length - 1).chain((index) =>
    oddConfigs(entries[index][1]).map((value) => {
      const [key] = entries[index];
      if (Array.isArray(config)) return config.map((each, i) => (i === index ? value : each));
      return { ...config, [key]: value };
    }),
  );
  return fc.oneof({ weight: 6, arbitrary: changed }, { weight: 1, arbitrary: oddNumber });
}

describe.each(SCENES)('$what', (scene) => {
  it('is decoded as it stands', async () => {
    const { decoded, refusals } = await decode(scene.parts, scene.quantization);
    expect({ decoded, refusals }).toEqual({ decoded: true, refusals: [] });
  });

  it('with a part that does not belong is refused or decoded, never made up', async () => {
    await fc.assert(
      fc.asyncProperty(mutationOf(scene), async (parts) => {
        await decode(parts, scene.quantization);
      }),
      { numRuns: 150 },
    );
  });

  it('with an odd configuration is refused or decoded, never made up', async () => {
    await fc.assert(
      fc.asyncProperty(oddConfigs(scene.quantization), async (quantization) => {
        await decode(scene.parts, quantization);
      }),
      { numRuns: 60 },
    );
  });

  it.each(Object.keys(scene.parts))('with scales of integers is refused: %s', async (name) => {
    if (!/scale|absmax|SCB|biases|quant_map|centroids/.test(name)) return;
    const mutant = { ...scene.parts, [name]: { ...scene.parts[name], dtype: 'I16' as const } };
    expect((await decode(mutant, scene.quantization)).decoded).toBe(false);
  });
});

describe('quant_state of bitsandbytes', () => {
  const scene = SCENES.find(({ what }) => what.startsWith('NF4'))!;
  const withState = (state: ScenePart) => ({
    ...scene.parts,
    'm.weight.quant_state.bitsandbytes__nf4': state,
  });

  it('with odd values is refused or decoded, never made up', async () => {
    await fc.assert(
      fc.asyncProperty(oddConfigs(NF4_STATE), async (state) => {
        await decode(withState(quantState(state)), scene.quantization);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['no JSON', '{"shape": [8'],
    ['nested too deeply', '['.repeat(30_000)],
    ['an infinite offset', JSON.stringify(NF4_STATE).replace('0.5', '1e999')],
    ['a shape without dimensions', JSON.stringify({ ...NF4_STATE, shape: [] })],
    ['a shape of too many weights', JSON.stringify({ ...NF4_STATE, shape: [2 ** 30, 2 ** 30] })],
  ])('that holds %s is refused', async (_, text) => {
    const bytes = new TextEncoder().encode(text);
    const state: ScenePart = { dtype: 'U8', shape: [bytes.length], bytes };
    const { decoded, refusals } = await decode(withState(state), scene.quantization);
    expect(decoded).toBe(false);
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toMatch(/^m\.weight: bitsandbytes 4-bit: /);
  });
});
