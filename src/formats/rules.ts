import { listGrids } from './grid.js';
import type { GridScaling, NumberFormat, Rule } from './types.js';

/** What a rule means for a format, beside its arithmetic. */
export interface RuleProperties {
  /** What happens halfway between two levels, for people. */
  readonly tieRule: string;
  /** A better range than a group's extremes can be searched for. */
  readonly hasRangeSearch: boolean;
  /** A ragged last block is filled up with zeros and stored whole; elsewhere it stores just its weights. */
  readonly storesWholeBlocks: boolean;
  /** Parameters depend on the weights of a group; false for casts. */
  readonly hasGroups: boolean;
  /** Each group has a zero point, of its own or the convention's. */
  readonly hasZeroPoints: boolean;
  /** Each group has a second scale, for weights < 0. */
  readonly hasNegativeScales: boolean;
  /** The tensor has a scale beside those of its groups. */
  readonly hasTensorScale: boolean;
  /** Groups with weights of one sign only are clipped or waste codes, more than the rule must. */
  readonly failsOneSigned: boolean;
  /** Groups that do not straddle zero, or hardly span anything, saturate or become zero. */
  readonly failsNotStraddling: boolean;
}

/** What most rules are. */
const PLAIN = {
  hasRangeSearch: false,
  storesWholeBlocks: false,
  hasGroups: true,
  hasZeroPoints: false,
  hasNegativeScales: false,
  hasTensorScale: false,
  failsOneSigned: false,
  failsNotStraddling: false,
};

/** Scales of formats whose blocks hold a fixed number of codes. */
const BLOCK_SCALINGS: ReadonlySet<GridScaling> = new Set([
  'by-sign-e5m2',
  'power-of-two',
  'power-of-two-ceil',
  'power-of-two-round',
  'e4m3-two-level',
  'e4m3',
]);

const PROPERTIES: {
  readonly [Kind in Rule['kind']]: (rule: Extract<Rule, { kind: Kind }>) => RuleProperties;
} = {
  integer: ({ convention, ties }) => ({
    ...PLAIN,
    tieRule: ties === 'even' ? 'halfway goes to the even code' : 'halfway goes away from zero',
    hasRangeSearch: true,
    hasZeroPoints: true,
    failsOneSigned: convention === 'gptq-sym',
    failsNotStraddling: convention === 'awq',
  }),
  'denormal-integer': () => ({
    ...PLAIN,
    tieRule: 'halfway goes to the integer; between integers to the even one',
    hasRangeSearch: true,
    hasZeroPoints: true,
  }),
  grid: ({ grid, scaling }) => ({
    ...PLAIN,
    tieRule: grid.tieRule,
    hasRangeSearch: scaling === 'shared' || scaling === 'by-sign',
    hasNegativeScales: scaling === 'by-sign' || scaling === 'by-sign-e5m2',
    hasTensorScale: scaling === 'e4m3-two-level',
    storesWholeBlocks: BLOCK_SCALINGS.has(scaling),
  }),
  'block-choice': ({ choices }) => ({
    ...PLAIN,
    tieRule: [...new Set(listGrids(choices).map((grid) => grid.tieRule))].join('; '),
    hasTensorScale: true,
    storesWholeBlocks: true,
  }),
  ggml: () => ({ ...PLAIN, tieRule: "as ggml's code rounds", storesWholeBlocks: true }),
  cast: () => ({ ...PLAIN, tieRule: 'halfway goes to the even fraction', hasGroups: false }),
};

/** What a rule means for the formats that have it. */
export function ruleProperties(rule: Rule): RuleProperties {
  // A rule's own kind picks the function; TypeScript does not connect the two.
  return (PROPERTIES[rule.kind] as (rule: Rule) => RuleProperties)(rule);
}

/** True for formats whose parameters depend on the extremes of the whole tensor. */
export function needsTensorRange({ entry, group }: NumberFormat): boolean {
  const { hasGroups, hasTensorScale } = ruleProperties(entry.rule);
  return (hasGroups && group.kind === 'tensor') || hasTensorScale;
}
