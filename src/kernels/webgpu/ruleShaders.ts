import { orderOfFloat32 } from '../../formats/float32.js';
import type {
  GgmlTypeName,
  Grid,
  GridScaling,
  Minifloat,
  Rule,
  ScaleDtype,
} from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import { tensorScaleOf } from '../reference/gridGroup.js';
import castRule from './castRule.wgsl';
import denormalIntegerRule from './denormalIntegerRule.wgsl';
import double from './double.wgsl';
import fitBlocksCode from './fitBlocks.wgsl';
import { floatWord } from './gpu.js';
import gridScales from './gridScales.wgsl';
import integerRule from './integerRule.wgsl';
import levelGrid from './levelGrid.wgsl';
import minifloatGrid from './minifloatGrid.wgsl';
import simpleBlockRule from './simpleBlockRule.wgsl';

/** A rule as the kernels of groups take it. */
export interface RuleShader {
  /** Of the rule's class; rules with the same name share pipelines. */
  readonly name: string;
  /** What follows `group.wgsl`. */
  readonly code: readonly string[];
  /** The rule's own parameters. */
  words(tensorRange: FixedRange | undefined): number[];
  /** An all-zero group counts as −1 … 1. */
  readonly emptyIsUnit: boolean;
  /** Finds parameters in another way than from extremes, with a thread for each group. */
  readonly fitCode?: string;
  /** Levels that are looked up in a table. */
  readonly grid?: Grid;
}

export const SCALE_DTYPE_WORDS: Readonly<Record<ScaleDtype, number>> = { f32: 0, f16: 1, bf16: 2 };
const CONVENTIONS = { 'gptq-asym': 0, 'gptq-sym': 1, awq: 2, absmax: 3 } as const;
/** How `rounding.wgsl` knows them. */
export const TIES: Readonly<Record<Minifloat['ties'], number>> = { even: 0, lower: 1, away: 2 };
const SCALINGS: Readonly<Record<GridScaling, number>> = {
  shared: 0,
  'by-sign': 1,
  'power-of-two': 2,
  e4m3: 3,
  'e4m3-two-level': 4,
  'absmax-reciprocal': 5,
  'by-sign-e5m2': 6,
  'power-of-two-ceil': 7,
  'power-of-two-round': 8,
};
/** As in the reference's `makeGroupQuantizer`. */
const EMPTY_IS_UNIT: ReadonlySet<GridScaling> = new Set([
  'shared',
  'by-sign',
  'power-of-two',
  'power-of-two-ceil',
  'power-of-two-round',
]);

/** Levels of a grid that is no minifloat, at most. */
const MAX_LEVELS = 16;

function gridShader(rule: Extract<Rule, { kind: 'grid' }>): RuleShader | undefined {
  const { grid, scaling } = rule;
  const { minifloat } = grid;
  if (!minifloat && grid.levels.length > MAX_LEVELS) return undefined;
  const gridWords = minifloat
    ? [
        minifloat.fractionBits,
        minifloat.minExponent,
        floatWord(minifloat.largest),
        TIES[minifloat.ties],
      ]
    : [grid.levels.length];
  return {
    name: minifloat ? 'minifloatGrid' : 'levelGrid',
    code: [gridScales, minifloat ? minifloatGrid : levelGrid],
    words: (tensorRange) => [
      SCALINGS[scaling],
      floatWord(grid.divisor),
      floatWord(tensorScaleOf(rule, tensorRange) ?? 1),
      ...gridWords,
    ],
    emptyIsUnit: EMPTY_IS_UNIT.has(scaling),
    grid: minifloat ? undefined : grid,
  };
}

/** How GGUF's simple blocks are computed: kind, lowest and highest level. */
const SIMPLE_BLOCKS: Partial<Record<GgmlTypeName, readonly [number, number, number]>> = {
  q4_0: [0, -8, 7],
  q5_0: [0, -16, 15],
  q4_1: [1, 0, 15],
  q5_1: [1, 0, 31],
  q8_0: [2, -127, 127],
};

function blockShader({ type }: Extract<Rule, { kind: 'ggml' }>): RuleShader | undefined {
  const words = SIMPLE_BLOCKS[type];
  return (
    words && {
      name: 'simpleBlock',
      code: [simpleBlockRule],
      words: () => [...words],
      emptyIsUnit: false,
      fitCode: fitBlocksCode,
    }
  );
}

/** The shader of a rule; undefined where it cannot be computed here. */
export function ruleShaderOf(rule: Rule): RuleShader | undefined {
  switch (rule.kind) {
    case 'integer':
      return {
        name: 'integer',
        code: [integerRule],
        words: () => [rule.bits, CONVENTIONS[rule.convention], TIES[rule.ties]],
        emptyIsUnit: rule.convention.startsWith('gptq'),
      };
    case 'denormal-integer': {
      const { bits, symmetric, special } = rule;
      return {
        name: 'denormalInteger',
        code: [double, denormalIntegerRule],
        words: () => [
          2 ** bits - 3,
          symmetric ? 2 ** (bits - 1) - 1 : 0,
          floatWord(special),
          floatWord(1 / special),
          floatWord(1 / (1 - special)),
        ],
        emptyIsUnit: true,
      };
    }
    case 'grid':
      return gridShader(rule);
    case 'cast':
      return {
        name: 'cast',
        code: [castRule],
        words: () => [SCALE_DTYPE_WORDS[rule.dtype]],
        emptyIsUnit: false,
      };
    case 'ggml':
      return blockShader(rule);
    case 'block-choice':
      return undefined;
  }
}

/** The table of `levelGrid.wgsl`. */
export function gridTable({ levels, thresholds }: Grid): Uint32Array {
  const words = new Uint32Array(3 * MAX_LEVELS);
  levels.forEach((level, i) => (words[i] = floatWord(level)));
  thresholds.forEach((threshold, i) => {
    words[MAX_LEVELS + i] = floatWord(1 / (levels[i + 1] - levels[i]));
    words[2 * MAX_LEVELS + i] = orderOfFloat32(threshold);
  });
  return words;
}
