import { binaryExponent } from '../../formats/grid.js';
import type { Grid, GridScaling, NumberFormat, Rule, ScaleDtype } from '../../formats/types.js';
import type { QuantizeOptions } from '../types.js';

// The other side of assembly/config.ts; numbers and order are shared by hand.
const SCALE_CODES: Readonly<Record<ScaleDtype, number>> = { f32: 0, f16: 1, bf16: 2 };
const SEARCHES = ['none', 'mse', 'clip'] as const;
const CONVENTIONS = ['gptq-asym', 'gptq-sym', 'awq', 'absmax'] as const;
const SCALINGS: readonly GridScaling[] = [
  'shared',
  'by-sign',
  'power-of-two',
  'e4m3-two-level',
  'e4m3',
  'absmax-reciprocal',
];
const TIES = ['even', 'lower', 'away'] as const;
const RULE = { integer: 0, denormalInteger: 1, grid16: 2, minifloat: 3 } as const;

/** Levels that a byte shuffle can look up. */
const MAX_GRID_LEVELS = 16;

/** Bytes of the configuration, and of the grid with its byte planes. */
export const CONFIG_BYTES = 128;
export const GRID_BYTES = 320;

/** True for formats that the vector kernels have. */
export function hasKernel({ entry: { rule } }: NumberFormat): boolean {
  if (rule.kind === 'grid') {
    return rule.grid.minifloat !== undefined || rule.grid.levels.length <= MAX_GRID_LEVELS;
  }
  return rule.kind === 'integer' || rule.kind === 'denormal-integer';
}

/** Lays a grid out as `assembly/grid16.ts` reads it. */
function writeGrid(memory: Float32Array, { levels, thresholds }: Grid): void {
  const last = levels.length - 1;
  for (let i = 0; i < MAX_GRID_LEVELS; i++) {
    const interval = Math.min(i, last - 1);
    memory[i] = i < last ? thresholds[i] : Infinity;
    memory[16 + i] = levels[Math.min(i, last)];
    memory[32 + i] = 1 / (levels[interval + 1] - levels[interval]);
  }
}

const bits = new DataView(new ArrayBuffer(4));
function float32Bits(value: number): number {
  bits.setFloat32(0, value);
  return bits.getInt32(0);
}

/** Words 0 and 3 to 13 of the configuration: what depends on the rule. */
function writeRule(ints: Int32Array, floats: Float32Array, rule: Rule): void {
  switch (rule.kind) {
    case 'integer': {
      const half = 2 ** (rule.bits - 1);
      const signed = rule.convention === 'absmax';
      ints[0] = RULE.integer;
      ints[3] = CONVENTIONS.indexOf(rule.convention);
      floats[4] = signed ? -half : 0;
      floats[5] = signed ? half - 1 : 2 * half - 1;
      floats[6] = rule.convention === 'gptq-sym' ? half : -1;
      ints[7] = TIES.indexOf(rule.ties);
      return;
    }
    case 'denormal-integer':
      ints[0] = RULE.denormalInteger;
      floats[5] = 2 ** rule.bits - 3;
      floats[6] = rule.symmetric ? 2 ** (rule.bits - 1) - 1 : -1;
      floats[8] = rule.special;
      return;
    case 'grid': {
      const { minifloat, divisor } = rule.grid;
      ints[0] = minifloat ? RULE.minifloat : RULE.grid16;
      ints[3] = SCALINGS.indexOf(rule.scaling);
      floats[9] = divisor;
      ints[10] = binaryExponent(divisor);
      if (!minifloat) return;
      ints[7] = TIES.indexOf(minifloat.ties);
      ints[11] = minifloat.fractionBits;
      ints[12] = float32Bits(2 ** minifloat.minExponent);
      floats[13] = minifloat.largest;
      return;
    }
    case 'cast':
    case 'ggml':
      throw new Error(`No kernel has the rule "${rule.kind}"`);
  }
}

/**
 * Writes a format's configuration and grid.
 * @param configAt, gridAt addresses, 16-byte aligned
 */
export function writeConfig(
  buffer: ArrayBufferLike,
  configAt: number,
  gridAt: number,
  format: NumberFormat,
  scaleDtype: ScaleDtype,
  { tensorRange, keepOutput }: QuantizeOptions,
): void {
  const { rule } = format.entry;
  const ints = new Int32Array(buffer, configAt, CONFIG_BYTES / 4);
  const floats = new Float32Array(buffer, configAt, CONFIG_BYTES / 4);
  ints.fill(0);
  writeRule(ints, floats, rule);
  ints[1] = SCALE_CODES[scaleDtype];
  ints[2] = SEARCHES.indexOf(format.search);
  ints[14] = format.group.kind === 'tensor' && tensorRange ? 1 : 0;
  floats[15] = tensorRange?.lo ?? 0;
  floats[16] = tensorRange?.hi ?? 0;
  ints[17] = keepOutput ? 1 : 0;
  ints[18] = gridAt;
  if (rule.kind === 'grid' && !rule.grid.minifloat) {
    writeGrid(new Float32Array(buffer, gridAt, GRID_BYTES / 4), rule.grid);
  }
}
