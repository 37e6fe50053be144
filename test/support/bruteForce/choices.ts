// Blocks of 16 that choose among scales or levels, by their definitions.
import { E2M1, E4M3, largestMagnitude, nearest, nearestPlace, nearestSigned } from './numbers.js';

const { fround } = Math;

/** A way to store a block: what its weights decode to. */
type Candidate = (weight: number) => number;

/** The values of the first candidate with the least squared error. */
function best(block: readonly number[], candidates: readonly Candidate[]): number[] {
  const tried = candidates.map((decoded) => block.map((weight) => decoded(weight)));
  const errors = tried.map((values) => {
    const squares = values.map((value, i) => fround(value - block[i]) ** 2);
    // Four sums side by side, as the kernels add: the last bit may decide.
    const lanes = [0, 1, 2, 3].map((lane) =>
      squares.filter((_, i) => i % 4 === lane).reduce((sum, square) => sum + square, 0),
    );
    return lanes[0] + lanes[2] + (lanes[1] + lanes[3]);
  });
  return tried[errors.indexOf(Math.min(...errors))];
}

/** Levels with a scale: the level of a quotient, times the scale; 0 where the scale is 0. */
function scaled(scale: number, levelOf: (quotient: number) => number): Candidate {
  return (weight) => (scale === 0 ? 0 : fround(levelOf(fround(weight / scale)) * scale));
}

const e2m1 = (quotient: number) => nearestSigned(E2M1, quotient, 'even');
const integers = Array.from({ length: 8 }, (_, i) => i);
const int4 = (quotient: number) => nearestSigned(integers, quotient, 'even');

/** Largest magnitude of a block over that of a level, in units of the tensor's scale. */
function wantedScale(block: readonly number[], level: number, tensorScale: number): number {
  return tensorScale === 0 ? 0 : fround(fround(largestMagnitude(block) / level) / tensorScale);
}

function fourOverSix(block: readonly number[], tensorLargest: number): number[] {
  const alpha = fround(tensorLargest / (6 * 256));
  const six = wantedScale(block, 6, alpha);
  const scales = [six, fround(1.5 * six)].map((scale) => nearest(E4M3, scale, 'even'));
  return best(
    block,
    scales.map((scale) => scaled(fround(alpha * scale), e2m1)),
  );
}

/** INT4 on E2M1's scale: sevenths of 6. */
function int4OverSix(quotient: number): number {
  const expanded = fround(quotient * fround(1.16666666));
  return fround(int4(expanded) * fround(6 / 7));
}

function if4(block: readonly number[], tensorLargest: number): number[] {
  const alpha = fround(tensorLargest / (6 * 448));
  const scale = fround(alpha * nearest(E4M3, wantedScale(block, 6, alpha), 'even'));
  return best(block, [scaled(scale, e2m1), scaled(scale, int4OverSix)]);
}

function nvint4(block: readonly number[], tensorLargest: number): number[] {
  const alpha = fround(tensorLargest / (7 * 448));
  const scale = fround(alpha * nearest(E4M3, wantedScale(block, 7, alpha), 'even'));
  return block.map(scaled(scale, int4));
}

function searched(block: readonly number[], tensorLargest: number): number[] {
  const alpha = fround(tensorLargest / (6 * 448));
  const wanted = Math.max(wantedScale(block, 6, alpha), 2 ** -6);
  const base = nearestPlace(E4M3, wanted, 'even');
  const places = [base];
  for (let place = base - 8; place <= base + 4; place++) {
    if (place > 0 && place < E4M3.length) places.push(place);
  }
  return best(
    block,
    places.map((place) => scaled(fround(alpha * E4M3[place]), e2m1)),
  );
}

function razer(block: readonly number[], tensorLargest: number): number[] {
  const alpha = fround(tensorLargest / (6 * 28));
  const candidates = [5, -5, 8, -8].map((special) => {
    const levels = [...E2M1, ...E2M1.slice(1).map((level) => -level), special];
    levels.sort((a, b) => a - b);
    const wanted = wantedScale(block, Math.max(6, Math.abs(special)), alpha);
    const scale = nearest(E4M3, Math.min(Math.max(wanted, 2 ** -5), 28), 'even');
    return scaled(fround(alpha * scale), (quotient) => nearest(levels, quotient, 'down'));
  });
  return best(block, candidates);
}

/** By the names of the catalogue. */
export const CHOICE_DEFINITIONS = {
  'nvfp4-4over6': { blockSize: 16, quantize: fourOverSix },
  if4: { blockSize: 16, quantize: if4 },
  nvint4: { blockSize: 16, quantize: nvint4 },
  'nvfp4-search': { blockSize: 16, quantize: searched },
  razer: { blockSize: 16, quantize: razer },
};
