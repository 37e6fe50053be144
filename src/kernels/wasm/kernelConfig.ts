import { binaryExponent, listGrids, minifloatSignBit } from '../../formats/grid.js';
import type { BlockChoice, Grid, NumberFormat, Rule, ScaleDtype } from '../../formats/types.js';
import type { QuantizeOptions } from '../types.js';
import {
  CHOICE_LAYOUT,
  codeOf,
  CONFIG_BYTES,
  CONFIG_FIELDS,
  CONVENTIONS,
  RANGES,
  RULES,
  SCALE_DTYPES,
  SCALINGS,
  SEARCHES,
  TIES,
  GRID_LAYOUT,
  MAX_GRID_LEVELS,
  type ConfigValues,
} from './configSchema.js';

/** True for formats that the vector kernels have. */
export function hasKernel({ entry: { rule } }: NumberFormat): boolean {
  return ruleConfig(rule) !== undefined;
}

function writeGrid(memory: Float32Array, { levels, thresholds }: Grid): void {
  const at = { levels: GRID_LAYOUT.levels / 4, widths: GRID_LAYOUT.widths / 4 };
  const last = levels.length - 1;
  for (let i = 0; i < MAX_GRID_LEVELS; i++) {
    const interval = Math.min(i, last - 1);
    memory[i] = i < last ? thresholds[i] : Infinity;
    memory[at.levels + i] = levels[Math.min(i, last)];
    memory[at.widths + i] = 1 / (levels[interval + 1] - levels[interval]);
  }
}

const bits = new DataView(new ArrayBuffer(4));
function float32Bits(value: number): number {
  bits.setFloat32(0, value);
  return bits.getInt32(0);
}

/** What the vector kernels are told of a rule. */
interface RuleConfig {
  readonly values: ConfigValues;
  /** The grid that levels are looked up in, for rules that do. */
  readonly grid?: Grid;
  readonly choices?: readonly BlockChoice[];
}

function integerConfig({ bits, convention, ties }: Extract<Rule, { kind: 'integer' }>): RuleConfig {
  const half = 2 ** (bits - 1);
  const signed = convention === 'absmax';
  return {
    values: {
      rule: codeOf(RULES, 'integer'),
      variant: codeOf(CONVENTIONS, convention),
      lowestCode: signed ? -half : 0,
      highestCode: signed ? half - 1 : 2 * half - 1,
      fixedZero: convention === 'gptq-sym' ? half : -1,
      ties: codeOf(TIES, ties),
    },
  };
}

function denormalIntegerConfig(rule: Extract<Rule, { kind: 'denormal-integer' }>): RuleConfig {
  return {
    values: {
      rule: codeOf(RULES, 'denormal-integer'),
      highestCode: 2 ** rule.bits - 3,
      fixedZero: rule.symmetric ? 2 ** (rule.bits - 1) - 1 : -1,
      special: rule.special,
    },
  };
}

/** What the loops over a small float are told; nothing where a grid is none. */
function minifloatValues(grid: Grid): ConfigValues {
  const { minifloat } = grid;
  return minifloat
    ? {
        ties: codeOf(TIES, minifloat.ties),
        fractionBits: minifloat.fractionBits,
        minExponentBits: float32Bits(2 ** minifloat.minExponent),
        largest: minifloat.largest,
        signBit: minifloatSignBit(grid),
      }
    : {};
}

/** Blocks choose among one small float at most, and grids that are looked up. */
function choiceConfig(rule: Extract<Rule, { kind: 'block-choice' }>): RuleConfig {
  const [first] = rule.choices;
  return {
    values: {
      rule: codeOf(RULES, 'block-choice'),
      variant: codeOf(SCALINGS, 'e4m3-two-level'),
      choiceCount: rule.choices.length,
      tensorDivisor: rule.tensorDivisor,
      leastScale: rule.leastScale,
      greatestScale: rule.greatestScale,
      ...minifloatValues(first.grid),
    },
    choices: rule.choices,
  };
}

function writeChoices(
  buffer: ArrayBufferLike,
  places: ConfigPlaces,
  choices: readonly BlockChoice[],
): void {
  const grids = listGrids(choices);
  const gridAt = (index: number) => places.grid + index * GRID_LAYOUT.length;
  grids.forEach((grid, i) => {
    if (!grid.minifloat)
      writeGrid(new Float32Array(buffer, gridAt(i), GRID_LAYOUT.length / 4), grid);
  });
  choices.forEach(({ grid, divisor, expansion, steps }, i) => {
    const at = places.choices + i * CHOICE_LAYOUT.length;
    const memory = new DataView(buffer, at, CHOICE_LAYOUT.length);
    const gridIndex = grids.indexOf(grid);
    memory.setInt32(CHOICE_LAYOUT.grid, grid.minifloat ? 0 : gridAt(gridIndex), true);
    memory.setFloat32(CHOICE_LAYOUT.divisor, divisor, true);
    memory.setFloat32(CHOICE_LAYOUT.expansion, expansion, true);
    memory.setInt32(CHOICE_LAYOUT.steps, steps, true);
    memory.setInt32(CHOICE_LAYOUT.gridIndex, gridIndex, true);
  });
}

function gridConfig({ grid, scaling }: Extract<Rule, { kind: 'grid' }>): RuleConfig | undefined {
  const { minifloat, divisor, levels } = grid;
  const common = {
    variant: codeOf(SCALINGS, scaling),
    divisor,
    divisorExponent: binaryExponent(divisor),
  };
  if (minifloat) {
    return { values: { ...common, rule: codeOf(RULES, 'minifloat'), ...minifloatValues(grid) } };
  }
  if (levels.length > MAX_GRID_LEVELS) return undefined;
  return { values: { ...common, rule: codeOf(RULES, 'grid16') }, grid };
}

/** What the vector kernels are told of each kind of rule; undefined where they do not have it. */
const RULE_CONFIGS: {
  readonly [Kind in Rule['kind']]: (rule: Extract<Rule, { kind: Kind }>) => RuleConfig | undefined;
} = {
  integer: integerConfig,
  'denormal-integer': denormalIntegerConfig,
  grid: gridConfig,
  'block-choice': choiceConfig,
  // Block formats have kernels of their own, and casts are done by the reference.
  ggml: () => undefined,
  cast: () => undefined,
};

function ruleConfig(rule: Rule): RuleConfig | undefined {
  // A rule's own kind picks the function; TypeScript does not connect the two.
  return (RULE_CONFIGS[rule.kind] as (rule: Rule) => RuleConfig | undefined)(rule);
}

/** Writes values where their fields lie; words without a value become 0. */
function writeValues(buffer: ArrayBufferLike, at: number, values: ConfigValues): void {
  const memory = new DataView(buffer, at, CONFIG_BYTES);
  Object.entries(CONFIG_FIELDS).forEach(([name, { type }], word) => {
    const value = values[name as keyof ConfigValues] ?? 0;
    if (type === 'f32') memory.setFloat32(word * 4, value, true);
    else memory.setInt32(word * 4, value, true);
  });
}

/** What a kernel is told: a format, and how it is applied. */
export interface KernelCall extends QuantizeOptions {
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
}

/** Addresses in bytes, 16-byte aligned. */
export interface ConfigPlaces {
  readonly config: number;
  readonly grid: number;
  readonly choices: number;
}

/**
 * Writes a format's configuration and grid.
 * @throws where {@link hasKernel} says no
 */
export function writeConfig(
  buffer: ArrayBufferLike,
  places: ConfigPlaces,
  { format, scaleDtype, tensorRange, keepOutput }: KernelCall,
): void {
  const config = ruleConfig(format.entry.rule);
  if (!config) throw new Error(`${format.id} has no vector kernel`);
  const wholeTensor = format.group.kind === 'tensor' && tensorRange !== undefined;
  writeValues(buffer, places.config, {
    ...config.values,
    dtype: codeOf(SCALE_DTYPES, scaleDtype),
    search: codeOf(SEARCHES, format.search),
    range: codeOf(RANGES, wholeTensor ? 'tensor' : 'group'),
    tensorLo: tensorRange?.lo,
    tensorHi: tensorRange?.hi,
    keepOutput: keepOutput ? 1 : 0,
    grid: places.grid,
    choices: places.choices,
  });
  if (config.choices) writeChoices(buffer, places, config.choices);
  if (config.grid)
    writeGrid(new Float32Array(buffer, places.grid, GRID_LAYOUT.length / 4), config.grid);
}
