import type { BlockPlan, LinearPlan, NormPlan } from '../config/plan.js';
import { isRouter, type InputSite } from '../forward/block.js';

/** An output of a linear map. */
export interface OutputRow {
  readonly linear: LinearPlan;
  readonly row: number;
}

/**
 * What stands before the inputs of a site, and so can be divided by factors that the site's weights are
 * multiplied by: a norm's weight, or rows of linear maps, one for each input.
 */
export type Fold =
  | { readonly kind: 'norm'; readonly norm: NormPlan }
  | { readonly kind: 'rows'; readonly rows: readonly OutputRow[] }
  /** In one sentence, for notes. */
  | { readonly kind: 'none'; readonly reason: string };

/** Where factors of a site's inputs are folded. */
export function foldOf(block: BlockPlan, site: InputSite): Fold {
  switch (site) {
    case 'attention':
      return foldIntoNorm(block, 'attention');
    case 'feedForward':
      return isRouter(block.feedForward)
        ? none('experts share their inputs with the router')
        : foldIntoNorm(block, 'feedForward');
    case 'attentionOutput':
      return foldIntoValues(block);
    case 'down':
      return foldIntoUp(block);
  }
}

function none(reason: string): Fold {
  return { kind: 'none', reason };
}

function foldIntoNorm(
  { attentionNorms, feedForwardNorms, parallel }: BlockPlan,
  part: 'attention' | 'feedForward',
): Fold {
  const norm = (part === 'attention' ? attentionNorms : feedForwardNorms).before;
  const other = (part === 'attention' ? feedForwardNorms : attentionNorms).before;
  if (norm?.weight === undefined) return none('there is no norm with weights before it');
  if (parallel && norm.weight === other?.weight) {
    return none('attention and the feed-forward part share one norm');
  }
  return { kind: 'norm', norm };
}

function foldIntoValues({ attention }: BlockPlan): Fold {
  const { projections, values, heads, keyValueHeads, headSize, output } = attention;
  if (heads !== keyValueHeads) {
    return none('several heads share their values (grouped queries), as in the original code');
  }
  const places = rowsOfProjections(projections);
  const rows: OutputRow[] = [];
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < headSize; i++) rows.push(places[values.at + head * values.stride + i]);
  }
  return rows.length === output.inputs
    ? { kind: 'rows', rows }
    : none('its inputs are not the values of the heads');
}

function foldIntoUp(block: BlockPlan): Fold {
  const { feedForward } = block;
  if (isRouter(feedForward)) return none('it belongs to experts');
  const { up, gate, width, activation, projections } = feedForward;
  // A factor passes through relu, and through no other function.
  if (up === undefined && activation !== 'relu') {
    return none(`factors do not pass through ${activation}`);
  }
  const rows = rowsOfProjections(projections).slice(up ?? gate, (up ?? gate) + width);
  return { kind: 'rows', rows };
}

/** Outputs of linear maps that stand side by side. */
function rowsOfProjections(projections: readonly LinearPlan[]): readonly OutputRow[] {
  return projections.flatMap((linear) =>
    Array.from({ length: linear.outputs }, (_, row) => ({ linear, row })),
  );
}

/** Linear maps that are queries or keys, whole or in part. */
export function isQueryOrKey({ attention }: BlockPlan, linear: LinearPlan): boolean {
  const first = startOf(attention.projections, linear);
  if (first === undefined) return false;
  const { queries, keys, values } = attention;
  // A map that has values among its outputs counts as values.
  const holds = ({ at }: { readonly at: number }) => at >= first && at < first + linear.outputs;
  return (holds(queries) || holds(keys)) && !holds(values);
}

function startOf(projections: readonly LinearPlan[], linear: LinearPlan): number | undefined {
  const index = projections.indexOf(linear);
  if (index < 0) return undefined;
  return projections.slice(0, index).reduce((sum, { outputs }) => sum + outputs, 0);
}
