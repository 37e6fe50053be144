import type { Perplexity } from '../../model/scores/perplexity.js';
import type { Budget } from '../../reports/recommendation.js';
import { choicesOf, type CandidateGroup, type TensorCandidates } from './candidates.js';
import { solveBudget, type Solution } from './solveBudget.js';

/** A budget that no assignment keeps to; one line. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
}

/** What a budget is in. */
export interface BudgetContext {
  readonly budget: Budget;
  /** Weights that are quantized. */
  readonly elements: number;
  /** Of what stays as it is. */
  readonly otherBytes: number;
  /** Where the budget is a perplexity. */
  readonly unquantized?: Perplexity;
}

/**
 * The solution for a budget.
 * @returns with it the bits that uniform formats may take as well, and the bound on predicted KL divergence
 */
export function chooseFormats(
  groups: readonly CandidateGroup[],
  context: BudgetContext,
): { readonly solution: Solution; readonly mostBits: number; readonly bound: number } {
  const { budget, elements, otherBytes, unquantized } = context;
  if (budget.kind === 'bits' || budget.kind === 'bytes') {
    const most =
      budget.kind === 'bits' ? budget.bitsPerWeight * elements : (budget.bytes - otherBytes) * 8;
    const choices = choicesOf(groups, 'bits');
    const solution = solveBudget(choices, most);
    if (!solution) {
      const least = choices.reduce((sum, list) => sum + Math.min(...list.map((c) => c.weight)), 0);
      throw new BudgetError(
        budget.kind === 'bits'
          ? `${budget.bitsPerWeight} bits per weight are too few: these formats take ${(least / elements).toFixed(3)} at least`
          : `${budget.bytes} bytes are too few: with these formats the model takes ${otherBytes + Math.ceil(least / 8)} at least`,
      );
    }
    return { solution, mostBits: most, bound: solution.bound };
  }
  const most =
    budget.kind === 'divergence'
      ? budget.klDivergence
      : Math.log(1 + budget.delta / unquantized!.value);
  const choices = choicesOf(groups, 'klDivergence');
  const solution = solveBudget(choices, most);
  if (!solution) {
    const least = choices.reduce((sum, list) => sum + Math.min(...list.map((c) => c.weight)), 0);
    throw new BudgetError(
      `A predicted KL divergence of ${most.toPrecision(4)} cannot be kept: these formats come to ${least.toPrecision(4)} at least`,
    );
  }
  // What is bounded there are bits; the prediction is what was asked for.
  return { solution, mostBits: 0, bound: solution.weight };
}

/** The format of each tensor, by index. */
export function assign(
  groups: readonly CandidateGroup[],
  { picked }: Solution,
): ReadonlyMap<TensorCandidates, number> {
  return new Map(
    groups.flatMap(({ tensors, allowed }, group) =>
      tensors.map((tensor) => [tensor, allowed[picked[group]]] as const),
    ),
  );
}
