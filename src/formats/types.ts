/** Number types a group's scale may be stored in. */
export type ScaleDtype = 'f16' | 'bf16' | 'f32';

/** Which weights share one set of scales. */
export type Grouping =
  /** `size` consecutive input columns of one output row; the last group of a row may be shorter. */
  | { readonly kind: 'columns'; readonly size: number }
  /** A whole output row. */
  | { readonly kind: 'row' }
  | { readonly kind: 'tensor' }
  /** `size` consecutive weights of the flattened tensor, rows disregarded (bitsandbytes). */
  | { readonly kind: 'blocks'; readonly size: number };

/** Levels of a group before scaling, and the rule that picks one. */
export interface Grid {
  /** Distinct level values, ascending, exactly representable in f32. At most 256. */
  readonly levels: Float32Array;
  /** The magnitude that a group's extreme is scaled onto: scale = extreme / divisor. */
  readonly divisor: number;
  /**
   * One f32 per pair of neighbouring levels: the largest f32 that still rounds to the lower one, so
   * that the level index of y is the number of thresholds below y. Derived from the tie rule.
   */
  readonly thresholds: Float32Array;
  /** What happens halfway between two levels, for people. */
  readonly tieRule: string;
  /** Present where the levels are all values of a small binary float: rounding by arithmetic. */
  readonly minifloat?: Minifloat;
}

/** A sign-magnitude binary float without infinities: steps of 2^(exponent − fractionBits). */
export interface Minifloat {
  readonly fractionBits: number;
  /** Exponent of the smallest binade; below it the step stays. */
  readonly minExponent: number;
  /** Largest magnitude. */
  readonly largest: number;
  /** Halfway goes to the even fraction, or to the lower value (towards −∞). */
  readonly ties: 'even' | 'lower' | 'away';
}

/** How the scale of a group on a grid is found and stored. */
export type GridScaling =
  /** One scale: the largest magnitude onto the divisor. */
  | 'shared'
  /** Two scales, for weights ≥ 0 and < 0 (AFPQ). */
  | 'by-sign'
  /** Two scales of type E5M2, for weights > 0 and for the others (AMXFP4). */
  | 'by-sign-e5m2'
  /** A power of two, so that the largest magnitude has the grid's largest exponent (OCP MX). */
  | 'power-of-two'
  /** The smallest power of two with which the largest magnitude is not beyond the grid. */
  | 'power-of-two-ceil'
  /** As `power-of-two`, but twice that for a largest magnitude of 1.75·2^e or more. */
  | 'power-of-two-round'
  /** An E4M3 scale per group times one f32 scale per tensor (NVFP4). */
  | 'e4m3-two-level'
  /** An E4M3 scale per group alone. */
  | 'e4m3'
  /** absmax in f32; weights are multiplied by its reciprocal (bitsandbytes). */
  | 'absmax-reciprocal';

/** GGUF block types that are implemented. */
export type GgmlTypeName =
  | 'q4_0'
  | 'q4_1'
  | 'q5_0'
  | 'q5_1'
  | 'q8_0'
  | 'q2_k'
  | 'q3_k'
  | 'q4_k'
  | 'q5_k'
  | 'q6_k'
  | 'iq4_nl'
  | 'iq4_xs'
  | 'mxfp4'
  | 'nvfp4'
  | 'tq1_0'
  | 'tq2_0'
  | 'q1_0'
  | 'q2_0';

/** One of the ways in which a block may be stored: its levels, and its scale of type E4M3. */
export interface BlockChoice {
  readonly grid: Grid;
  /** The scale is the one nearest to expansion · largest magnitude / divisor / scale of the tensor … */
  readonly divisor: number;
  readonly expansion: number;
  /** … or as many numbers of its type above that. */
  readonly steps: number;
}

/** How a group of weights becomes codes. Plain data; `kernels/reference` gives the meaning. */
export type Rule =
  | {
      readonly kind: 'integer';
      readonly bits: number;
      /**
       * gptq-asym, gptq-sym: GPTQ's quantizer, zero always inside the range (section 1).
       * awq: AWQ's asymmetric, range without zero; absmax: AutoAWQ's symmetric (section 2).
       */
      readonly convention: 'gptq-asym' | 'gptq-sym' | 'awq' | 'absmax';
      /** Halfway between two codes: to the even one, or away from zero (BitDistiller). */
      readonly ties: 'even' | 'away';
    }
  | { readonly kind: 'grid'; readonly grid: Grid; readonly scaling: GridScaling }
  /** Integers with two denormal codes ±special·scale (dINT, section 6.1, reconstructed). */
  | {
      readonly kind: 'denormal-integer';
      readonly bits: number;
      readonly symmetric: boolean;
      readonly special: number;
    }
  /** Blocks that take the first of those choices that have the least squared error (section 4.8). */
  | {
      readonly kind: 'block-choice';
      readonly choices: readonly BlockChoice[];
      /** The tensor's scale, an f32, is its largest magnitude over this. */
      readonly tensorDivisor: number;
      /** Limits of a block's scale before it is rounded. */
      readonly leastScale: number;
      readonly greatestScale: number;
    }
  /** A GGUF block format as ggml quantizes it without an importance matrix. */
  | { readonly kind: 'ggml'; readonly type: GgmlTypeName }
  /** A plain cast. */
  | { readonly kind: 'cast'; readonly dtype: ScaleDtype };

/** One number format of the catalogue, without group size and options. */
export interface FormatEntry {
  /** Canonical name as typed at the command line, e.g. "afp4-e2m1". */
  readonly name: string;
  /** Short name for tables and charts, e.g. "AFP4". */
  readonly label: string;
  /** Family, for grouping in menus and for chart symbols. */
  readonly family:
    | 'Integer'
    | 'Float'
    | 'AFPQ'
    | 'NormalFloat'
    | 'dINT'
    | 'Special values'
    | 'Microscaling'
    | 'bitsandbytes'
    | 'GGUF'
    | 'Cast';
  /** Bits of one code, scales not counted. */
  readonly bits: number;
  /** One line for menus. */
  readonly description: string;
  /** Paper, specification or code that defines it. */
  readonly source: string;
  /** True where the definition had to be reconstructed; said wherever the format is shown. */
  readonly reconstructed: boolean;
  /** What a reader of its numbers should know. */
  readonly notes: readonly string[];
  readonly rule: Rule;
  /** Number of different values a code can stand for. */
  readonly levelCount: number;
  /** The grouping that the format fixes; where absent the user chooses. */
  readonly fixedGroup?: Grouping;
  /** True where a fixed group is only the default ("bnb-nf4:g128"). */
  readonly groupIsDefault?: boolean;
  /** Scales stored per group in the scale dtype. */
  readonly scalesPerGroup: number;
  /** Further bits stored per group (a packed zero point, a scale of fixed type). */
  readonly extraBitsPerGroup: number;
  readonly extraBitsPerTensor?: number;
}

/** Searches for a better range than the extremes, on weight error. */
export type RangeSearch =
  | 'none'
  /** GPTQ's shrink search: both ends by the same factor (section 1). */
  | 'mse'
  /** BitDistiller's two-ended clipping (section 3). */
  | 'clip';

/** A format as applied: catalogue entry, grouping, options. */
export interface NumberFormat {
  /** Canonical name, e.g. "int4-asym:g128+mse". */
  readonly id: string;
  readonly entry: FormatEntry;
  readonly group: Grouping;
  readonly search: RangeSearch;
}
