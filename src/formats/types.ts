/** Number types a group's scale may be stored in. */
export type ScaleDtype = 'f16' | 'bf16' | 'f32';

/** Which weights share one set of scales. Groups never cross the end of an output row. */
export type Grouping =
  | { readonly kind: 'columns'; readonly size: number }
  | { readonly kind: 'row' }
  | { readonly kind: 'tensor' };

/** Levels of a group before scaling, and the rule that picks one. */
export interface Grid {
  /** Distinct level values, ascending, exactly representable in f32. At most 256. */
  readonly levels: Float32Array;
  /**
   * The magnitude that a group's extreme is scaled onto: scale = extreme / divisor.
   * Often, but not for every grid, the largest level.
   */
  readonly divisor: number;
  /**
   * One f32 per pair of neighbouring levels: the largest f32 that still rounds to the lower one, so
   * that the level index of y is the number of thresholds below y. Derived from the tie rule.
   */
  readonly thresholds: Float32Array;
  /** What happens halfway between two levels, for people. */
  readonly tieRule: string;
}

/** How a group of weights becomes codes. Plain data; `kernels/reference` gives the meaning. */
export type Rule =
  /** Integers as GPTQ rounds them; `algorithms` section 1: zero always inside the range. */
  | { readonly kind: 'integer'; readonly bits: number; readonly symmetric: boolean }
  /** A grid of levels with one scale, or one for each sign (AFPQ, arXiv 2311.01792). */
  | { readonly kind: 'grid'; readonly grid: Grid; readonly twoScales: boolean }
  /** Integers with two denormal codes ±special·scale (dINT, arXiv 2311.05161, reconstructed). */
  | {
      readonly kind: 'denormal-integer';
      readonly bits: number;
      readonly symmetric: boolean;
      readonly special: number;
    };

/** One number format of the catalogue, without group size and options. */
export interface FormatEntry {
  /** Canonical name as typed at the command line, e.g. "afp4-e2m1". */
  readonly name: string;
  /** Short name for tables and charts, e.g. "AFP4". */
  readonly label: string;
  /** Family, for grouping in menus and for chart symbols. */
  readonly family: 'Integer' | 'Float' | 'AFPQ' | 'NormalFloat' | 'dINT';
  /** Bits of one code. */
  readonly bits: number;
  /** One line for menus. */
  readonly description: string;
  /** Paper or code that defines it. */
  readonly source: string;
  /** True where the definition had to be reconstructed; said wherever the format is shown. */
  readonly reconstructed: boolean;
  /** What a reader of its numbers should know. */
  readonly notes: readonly string[];
  readonly rule: Rule;
  /** Number of different values a code can stand for. */
  readonly levelCount: number;
  /** Scales stored per group, each in the scale dtype. */
  readonly scalesPerGroup: number;
  /** Further bits stored per group (a packed zero point). */
  readonly extraBitsPerGroup: number;
}

/** A format as applied: catalogue entry, grouping, options. */
export interface NumberFormat {
  /** Canonical name, e.g. "int4-asym:g128". */
  readonly id: string;
  readonly entry: FormatEntry;
  readonly group: Grouping;
}
