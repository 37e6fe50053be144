import type { ModelTensor } from '../checkpoint/types.js';
import { countWeights } from '../reports/storedAs.js';

/** Kinds of tensors that are told apart; the rest is one more. */
const MAX_KINDS = 12;

/**
 * One line of what is no linear weight, and so is left out by default: "Left out of 9,000 weights: 2 embeddings
 * (4,096), 4 routers (1,024)". None where the tensors of a job were chosen otherwise.
 * @param selected the tensors that the job is about
 */
export function noteLeftOut(
  tensors: readonly ModelTensor[],
  selected: readonly ModelTensor[],
): string[] {
  const byDefault = tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
  const asUsual =
    selected.length === byDefault.length &&
    selected.every(({ quantizedByDefault }) => quantizedByDefault);
  if (!asUsual) return [];
  const kinds = new Map<string, { tensors: number; weights: number }>();
  const undecoded = new Set<string>();
  let total = 0;
  for (const tensor of tensors) {
    const { notByDefault: kind, elements, partOf } = tensor;
    total += countWeights(tensor);
    if (partOf) undecoded.add(partOf.weight);
    if (kind === undefined || elements === 0 || partOf) continue;
    const key = kinds.has(kind) || kinds.size < MAX_KINDS ? kind : 'other reasons';
    const sum = kinds.get(key) ?? { tensors: 0, weights: 0 };
    kinds.set(key, { tensors: sum.tensors + 1, weights: sum.weights + elements });
  }
  const notDecoded =
    undecoded.size === 0
      ? []
      : [
          `Left out as well: ${format(undecoded.size)} ${undecoded.size === 1 ? 'matrix' : 'matrices'} of weights that cannot be decoded.`,
        ];
  if (kinds.size === 0) return notDecoded;
  const parts = [...kinds]
    .sort(([, one], [, other]) => other.weights - one.weights)
    .map(([kind, sum]) => `${countOf(sum.tensors, kind)} (${format(sum.weights)})`);
  const line = `Left out of ${format(total)} weights, since they are not linear: ${parts.join(', ')}.`;
  return [line, ...notDecoded];
}

const format = (count: number): string => count.toLocaleString('en-US');

/** "an embedding", twice: "2 embeddings"; "one-dimensional": "2 one-dimensional". */
function countOf(count: number, reason: string): string {
  const article = ['a ', 'an '].find((word) => reason.startsWith(word));
  if (article === undefined) return `${format(count)} ${reason}`;
  const noun = reason.slice(article.length);
  if (count === 1) return `1 ${noun}`;
  const end = [' of ', ' that '].map((word) => noun.indexOf(word)).find((at) => at > 0);
  const [first, rest] = [noun.slice(0, end), end === undefined ? '' : noun.slice(end)];
  return `${format(count)} ${first}${first.endsWith('s') ? 'es' : 's'}${rest}`;
}
