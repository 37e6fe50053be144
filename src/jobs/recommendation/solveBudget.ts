/** One of the ways to store a group of tensors. */
export interface Choice {
  /** What it takes of the budget: bits, or where bits are to be few, predicted loss. From 0. */
  readonly weight: number;
  /** What is to be as little as possible over all groups. */
  readonly cost: number;
}

/** Which choice each group gets. */
export interface Solution {
  /** Index of the choice of each group. */
  readonly picked: readonly number[];
  readonly weight: number;
  readonly cost: number;
  /** No assignment within the budget has less cost; equal to the cost where this one is optimal. */
  readonly bound: number;
}

/** A point of the convex front: the least cost at some price of weight. */
export interface FrontPoint extends Omit<Solution, 'bound'> {
  /** Cost that a unit of weight more would save, from here on. */
  readonly price: number;
}

/** Partial assignments that are kept at once; beyond it the result has a gap that is told. */
const MAX_STATES = 200_000;

/** A choice with its index. */
interface Candidate extends Choice {
  readonly index: number;
}

/** Choices to which no other is both as light and as cheap, by weight. */
function undominated(choices: readonly Choice[]): Candidate[] {
  const sorted = choices
    .map((choice, index) => ({ ...choice, index }))
    .sort((a, b) => a.weight - b.weight || a.cost - b.cost || a.index - b.index);
  const kept: Candidate[] = [];
  for (const candidate of sorted) {
    if (kept.length === 0 || candidate.cost < kept[kept.length - 1].cost) kept.push(candidate);
  }
  return kept;
}

/** Those on the lower convex hull, by weight. */
function hullOf(candidates: readonly Candidate[]): Candidate[] {
  const hull: Candidate[] = [];
  for (const candidate of candidates) {
    while (hull.length > 1) {
      const [a, b] = hull.slice(-2);
      const isBelow =
        (b.cost - a.cost) * (candidate.weight - a.weight) <
        (candidate.cost - a.cost) * (b.weight - a.weight);
      if (isBelow) break;
      hull.pop();
    }
    hull.push(candidate);
  }
  return hull;
}

/** A step of a group from one choice on its hull to the next heavier one. */
interface Step {
  readonly group: number;
  readonly from: Candidate;
  readonly to: Candidate;
  /** Cost saved by a unit of weight. */
  readonly price: number;
}

/** Steps of all groups, the best first; within a group they come in order, since its hull is convex. */
function stepsOf(hulls: readonly (readonly Candidate[])[]): Step[] {
  return hulls
    .flatMap((hull, group) =>
      hull.slice(1).map((to, at): Step => {
        const from = hull[at];
        return { group, from, to, price: (from.cost - to.cost) / (to.weight - from.weight) };
      }),
    )
    .sort((a, b) => b.price - a.price || a.group - b.group || a.to.weight - b.to.weight);
}

function totalsOf(
  groups: readonly (readonly Choice[])[],
  picked: readonly number[],
): Pick<Solution, 'weight' | 'cost'> {
  let weight = 0;
  let cost = 0;
  for (const [group, index] of picked.entries()) {
    weight += groups[group][index].weight;
    cost += groups[group][index].cost;
  }
  return { weight, cost };
}

/**
 * The convex front of assignments from the lightest to the costless: at each point, one group has gone a step
 * further than at the one before. Every point is optimal for its own weight.
 */
export function traceFront(groups: readonly (readonly Choice[])[]): FrontPoint[] {
  const hulls = groups.map((choices) => hullOf(undominated(choices)));
  const picked = hulls.map(([first]) => first.index);
  const steps = stepsOf(hulls);
  const points: FrontPoint[] = [];
  const add = (price: number) =>
    points.push({ picked: [...picked], ...totalsOf(groups, picked), price });
  add(steps[0]?.price ?? 0);
  for (const [at, { group, to }] of steps.entries()) {
    picked[group] = to.index;
    add(steps[at + 1]?.price ?? 0);
  }
  return points;
}

/** An assignment of the groups so far. */
interface State {
  readonly weight: number;
  readonly cost: number;
  readonly choice: number;
  readonly before?: State;
}

/**
 * Chooses for each group so that costs are least and weights stay within a budget: the multiple-choice knapsack
 * problem. First along the convex front, which also bounds what is possible; then exactly, by dynamic programming over
 * assignments of which none is both lighter and cheaper, leaving out those that the bound excludes.
 * @param groups each with one choice at least
 * @returns undefined where even the lightest choices are over the budget
 */
export function solveBudget(
  groups: readonly (readonly Choice[])[],
  budget: number,
): Solution | undefined {
  const candidates = groups.map(undominated);
  const hulls = candidates.map(hullOf);
  const lightest = candidates.map(([first]) => first.index);
  if (totalsOf(groups, lightest).weight > budget) return undefined;
  const greedy = fillGreedily(groups, hulls, lightest, budget);
  const { price, ...along } = greedy;
  let best: Pick<Solution, 'picked' | 'weight' | 'cost'> = along;
  const reduced = ({ cost, weight }: Choice) => cost + price * weight;
  const least = candidates.map((list) =>
    list.reduce((min, c) => Math.min(min, reduced(c)), Infinity),
  );
  const relaxed = least.reduce((sum, each) => sum + each, 0) - price * budget;
  // Rounding in sums must not make a bound of what is possible.
  const slack = 1e-12 * Math.max(Math.abs(relaxed), Math.abs(best.cost));
  if (best.cost <= relaxed + slack) return { ...best, bound: best.cost };

  const lightestAfter = suffixSums(candidates.map(([first]) => first.weight));
  const leastAfter = suffixSums(least);
  let states: State[] = [{ weight: 0, cost: 0, choice: -1 }];
  let isComplete = true;
  for (const [group, list] of candidates.entries()) {
    const rest = leastAfter[group + 1] - price * budget;
    const room = budget - lightestAfter[group + 1];
    const next: State[] = [];
    for (const before of states) {
      for (const { weight, cost, index } of list) {
        const state = { weight: before.weight + weight, cost: before.cost + cost };
        if (state.weight > room) break;
        if (reduced(state) + rest > best.cost + slack) continue;
        next.push({ ...state, choice: index, before });
      }
    }
    states = undominatedStates(next);
    if (states.length <= MAX_STATES) continue;
    isComplete = false;
    states = states.sort((a, b) => reduced(a) - reduced(b)).slice(0, MAX_STATES);
  }
  const found = states.reduce<State | undefined>(
    (least, state) => (!least || state.cost < least.cost ? state : least),
    undefined,
  );
  if (found && found.cost < best.cost) {
    const picked = pathOf(found);
    best = { picked, ...totalsOf(groups, picked) };
  }
  return { ...best, bound: isComplete ? best.cost : Math.min(best.cost, relaxed) };
}

/** Steps along the front while they fit, and those behind the first that does not, where they still do. */
function fillGreedily(
  groups: readonly (readonly Choice[])[],
  hulls: readonly (readonly Candidate[])[],
  lightest: readonly number[],
  budget: number,
): Pick<Solution, 'picked' | 'weight' | 'cost'> & { readonly price: number } {
  const picked = [...lightest];
  let { weight } = totalsOf(groups, picked);
  let price: number | undefined;
  const stopped = new Set<number>();
  for (const step of stepsOf(hulls)) {
    const { group, from, to } = step;
    if (stopped.has(group)) continue;
    const heavier = weight + to.weight - from.weight;
    if (heavier > budget) {
      stopped.add(group);
      price ??= step.price;
      continue;
    }
    picked[group] = to.index;
    weight = heavier;
  }
  return { picked, ...totalsOf(groups, picked), price: price ?? 0 };
}

/** Of what comes from each place on; one more than there are values. */
function suffixSums(values: readonly number[]): number[] {
  const sums = new Array<number>(values.length + 1).fill(0);
  for (let at = values.length - 1; at >= 0; at--) sums[at] = sums[at + 1] + values[at];
  return sums;
}

function undominatedStates(states: State[]): State[] {
  states.sort((a, b) => a.weight - b.weight || a.cost - b.cost);
  let least = Infinity;
  return states.filter(({ cost }) => {
    if (cost >= least) return false;
    least = cost;
    return true;
  });
}

function pathOf(state: State): number[] {
  const picked: number[] = [];
  for (let at: State | undefined = state; at?.before; at = at.before) picked.push(at.choice);
  return picked.reverse();
}
