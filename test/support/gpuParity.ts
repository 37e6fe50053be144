// Compares the kernels of a GPU with the reference: output bit for bit, sums to a relative error.
import {
  allowsSearch,
  FORMAT_CATALOGUE,
  findFormatEntry,
  parseFormat,
  type NumberFormat,
  type RangeSearch,
  type ScaleDtype,
} from '../../src/formats/index.js';
import { quantizeChunk } from '../../src/kernels/reference/quantizeChunk.js';
import { ERROR_SUMS, foldErrorSums, type ErrorSums } from '../../src/kernels/types.js';
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../src/kernels/webgpu/gpuChunkKernels.js';
import { UNLISTED } from './chunks.js';
import { ruleShaderOf } from '../../src/kernels/webgpu/ruleShaders.js';
import { makeWeightScenes, type WeightScene } from './weightScenes.js';

/** A format with a chunk to try it on. */
export interface ParityCase {
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
  readonly scene: WeightScene;
}

export interface ParityResult extends ParityCase {
  /** Weights whose dequantized bits differ; any NaN is as good as another. */
  readonly mismatched: number;
  /** The largest relative error among the sums of squares and the largest error. */
  readonly worstSum: number;
  /** That sum, with both values. */
  readonly worst: string;
  /** Counts that differ, with both values. */
  readonly counts: readonly string[];
  readonly firstMismatch: string;
}

/** All cases of a format with a search. */
export interface ParityRow {
  /** The shader of its rule. */
  readonly rule: string;
  readonly format: string;
  readonly search: RangeSearch;
  readonly cases: number;
  readonly mismatchedBits: number;
  readonly worstSumError: number;
  readonly wrongCounts: number;
}

const COUNTS = ['underflow', 'clipped', 'badScales', 'oneSigned', 'notStraddling'];

/** Below this a sum that an f32 is enough for counts as zero, from here on as overflown. */
const STEP_SUMS = { smallest: 1e-30, largest: 1e37 };

function relativeError(name: string, found: number, expected: number): number {
  if (Object.is(found, expected) || found === expected) return 0;
  if (name === 'squaredStepError') {
    if (expected > STEP_SUMS.largest || Math.max(found, expected) < STEP_SUMS.smallest) return 0;
  }
  const error = Math.abs(found - expected) / Math.abs(expected);
  return Number.isNaN(error) ? Infinity : error;
}

function compareSums(found: ErrorSums, expected: ErrorSums) {
  let worstSum = 0;
  let worst = '';
  const counts: string[] = [];
  for (const name of Object.keys(ERROR_SUMS) as (keyof ErrorSums)[]) {
    if (COUNTS.includes(name)) {
      if (found[name] !== expected[name]) counts.push(`${name} ${found[name]}/${expected[name]}`);
    } else {
      const error = relativeError(name, found[name], expected[name]);
      if (error > worstSum) {
        worstSum = error;
        worst = `${name} ${found[name]}/${expected[name]}`;
      }
    }
  }
  return { worstSum, worst, counts };
}

/** Runs all cases on the device, reads them together, and compares. */
export async function compareWithReference(
  gpu: Gpu,
  cases: readonly ParityCase[],
  kernels = new GpuChunkKernels(gpu),
): Promise<ParityResult[]> {
  const sizes = cases.map(({ scene }) => scene.weights.length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const weights = gpu.acquire(Math.max(4, total * 4));
  const output = gpu.acquire(Math.max(4, total * 4));
  const all = new Float32Array(total);
  let at = 0;
  const places = cases.map(({ scene }) => {
    all.set(scene.weights, at);
    const place = { offset: at * 4, bytes: scene.weights.length * 4 };
    at += scene.weights.length;
    return place;
  });
  gpu.write(weights, new Uint8Array(all.buffer));
  const promises = cases.map(({ format, scaleDtype, scene }, i) =>
    kernels.quantize({
      format,
      scaleDtype,
      shape: scene,
      tensorRange: scene.tensorRange,
      weights: { ...weights, ...places[i] },
      output: { ...output, ...places[i] },
    }),
  );
  await kernels.collect();
  const sums = await Promise.all(promises);
  const words = new Uint32Array((await gpu.read(output)).buffer);
  gpu.release(weights, output);
  return cases.map((each, i) => {
    const found = words.subarray(places[i].offset / 4, places[i].offset / 4 + sizes[i]);
    return { ...each, ...compareCase(each, found, sums[i]) };
  });
}

function compareCase(
  { format, scaleDtype, scene }: ParityCase,
  found: Uint32Array,
  sums: ErrorSums,
) {
  const output = new Float32Array(scene.weights.length);
  const { weights, tensorRange } = scene;
  const raw = quantizeChunk({ format, scaleDtype, shape: scene, weights, output, tensorRange });

  const expected = new Uint32Array(output.buffer);
  const wrong = Array.from(expected.keys()).filter(
    (i) => found[i] !== expected[i] && !(Number.isNaN(output[i]) && isNan(found[i])),
  );
  const hex = (word: number) => word.toString(16).padStart(8, '0');
  const [first] = wrong;
  const weightBits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  return {
    mismatched: wrong.length,
    firstMismatch:
      first === undefined
        ? ''
        : `[${first}] ${hex(weightBits[first])} → ${hex(found[first])}, not ${hex(expected[first])}`,
    ...compareSums(sums, foldErrorSums(raw)),
  };
}

function isNan(bits: number): boolean {
  return (bits & 0x7fffffff) > 0x7f800000;
}

/** A failed case in words; empty where a case agrees. */
export function describeDifference(result: ParityResult, tolerance = 1e-5): string {
  const { format, scaleDtype, scene, mismatched, worstSum, worst, counts, firstMismatch } = result;
  const faults = [
    ...(mismatched > 0 ? [`${mismatched} weights differ, ${firstMismatch}`] : []),
    ...(worstSum > tolerance ? [`${worst} differ by ${worstSum.toExponential(1)}`] : []),
    ...counts,
  ];
  if (faults.length === 0) return '';
  return `${format.id} ${scaleDtype} ${scene.name} ${scene.rows}×${scene.columns}: ${faults.join('; ')}`;
}

const DTYPES: readonly ScaleDtype[] = ['f16', 'f32', 'bf16'];

/** Names of formats that the catalogue lists, and some that are only understood. */
export const PARITY_FORMATS: readonly string[] = [
  ...FORMAT_CATALOGUE.map(({ name }) => name),
  ...UNLISTED,
];

/** Groupings to try; groups of one weight are where a group of two ends a row. */
function groupingsOf(name: string, search: RangeSearch): string[] {
  const entry = findFormatEntry(name);
  if (entry?.fixedGroup) return entry.groupIsDefault ? ['', ':g7'] : [''];
  return [':g7', ':g32', ':row', search === 'none' ? ':tensor' : ':g128', ':g2'];
}

/** Every scene with a format, its groupings and scale types by turns. */
export function listCases(
  name: string,
  scenes: readonly WeightScene[],
  search: RangeSearch = 'none',
): ParityCase[] {
  const suffix = search === 'none' ? '' : `+${search}`;
  const groupings = groupingsOf(name, search);
  return scenes.map((scene, i) => ({
    format: parseFormat(`${name}${groupings[i % groupings.length]}${suffix}`),
    scaleDtype: DTYPES[Math.floor(i / 2) % 3],
    scene,
  }));
}

/** Agreement of a format, a row for each search that it has; none where threads compute it. */
export async function tabulateFormat(
  gpu: Gpu,
  kernels: GpuChunkKernels,
  name: string,
): Promise<ParityRow[]> {
  const rows: ParityRow[] = [];
  const scenes = makeWeightScenes(200).slice(0, 6);
  const entry = findFormatEntry(name)!;
  for (const search of allowsSearch(entry)
    ? (['none', 'mse', 'clip'] as const)
    : ['none' as const]) {
    const cases = listCases(name, scenes, search);
    if (!cases.every(({ format }) => kernels.supports(format))) continue;
    const results = await compareWithReference(gpu, cases, kernels);
    rows.push({
      rule: ruleShaderOf(entry.rule)!.name,
      format: name,
      search,
      cases: results.length,
      mismatchedBits: results.reduce((sum, { mismatched }) => sum + mismatched, 0),
      worstSumError: Math.max(...results.map(({ worstSum }) => worstSum)),
      wrongCounts: results.reduce((sum, { counts }) => sum + counts.length, 0),
    });
  }
  return rows;
}
