import type { ModelPlan } from './plan.js';

/** Keys of a plan whose values are names of tensors. */
const NAMES = new Set(['weight', 'bias', 'tokens', 'tensor']);
/** What does not change what a model computes with its tensors. */
const IGNORED = new Set([
  'modelType',
  'maxPositions',
  'positionsAreHard',
  'tiedTwin',
  'notes',
  'transposed',
]);
/** Settings pass through text and through 32 bits. */
const TOLERANCE = 1e-6;

/** What two plans have in common. */
export interface PlanPairs {
  /** By the first plan's name of a tensor, the second's. */
  readonly names: ReadonlyMap<string, string>;
  /** Where the plans compute differently: "blocks.0.attention.window". */
  readonly differences: readonly string[];
}

/**
 * Pairs the tensors that do the same in two plans, and finds in what else the plans differ.
 * @param positions of the longest window: attention that sees at least as many sees all
 */
export function pairPlans(plan: ModelPlan, other: ModelPlan, positions: number): PlanPairs {
  const names = new Map<string, string>();
  const differences: string[] = [];
  const walk = (a: unknown, b: unknown, key: string, path: string): void => {
    if (IGNORED.has(key)) return;
    if (NAMES.has(key) && typeof a === 'string' && typeof b === 'string') {
      if ((names.get(a) ?? b) === b) names.set(a, b);
      else differences.push(`${path}, which is tied in one of them alone`);
    } else if (typeof a === 'number' && typeof b === 'number') {
      const [one, two] = key === 'window' ? [a, b].map((size) => seen(size, positions)) : [a, b];
      if (!isClose(one, two)) differences.push(path);
    } else if (isIterable(a) && isIterable(b)) {
      if (a.length !== b.length) differences.push(path);
      else a.forEach((each, i) => walk(each, b[i], '', `${path}.${i}`));
    } else if (isObject(a) && isObject(b)) {
      for (const each of new Set([...Object.keys(a), ...Object.keys(b)])) {
        walk(a[each], b[each], each, path === '' ? each : `${path}.${each}`);
      }
    } else if (a !== b) differences.push(path);
  };
  walk(plan, other, '', '');
  return { names, differences };
}

/** Positions that attention sees; 0: all. */
function seen(window: number, positions: number): number {
  return window >= positions ? 0 : window;
}

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b)) || a === b;
}

function isIterable(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) || value instanceof Float32Array;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
