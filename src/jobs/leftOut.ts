import type { ModelTensor } from '../checkpoint/types.js';

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
  let total = 0;
  for (const { notByDefault, notQuantizable, elements } of tensors) {
    total += elements;
    if (notByDefault === undefined || elements === 0) continue;
    const kind = kindOf(notByDefault, notQuantizable);
    const key = kinds.has(kind) || kinds.size < MAX_KINDS ? kind : 'other reasons';
    const sum = kinds.get(key) ?? { tensors: 0, weights: 0 };
    kinds.set(key, { tensors: sum.tensors + 1, weights: sum.weights + elements });
  }
  if (kinds.size === 0) return [];
  const parts = [...kinds]
    .sort(([, one], [, other]) => other.weights - one.weights)
    .map(([kind, sum]) => `${countOf(sum.tensors, kind)} (${format(sum.weights)})`);
  return [`Left out of ${format(total)} weights, since they are not linear: ${parts.join(', ')}.`];
}

const format = (count: number): string => count.toLocaleString('en-US');

/** Reasons that name a tensor are one kind. */
function kindOf(reason: string, notQuantizable: string | undefined): string {
  return notQuantizable?.startsWith('a part of ') ? 'a part that cannot be decoded' : reason;
}

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
