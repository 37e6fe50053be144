import type { StoredTensor } from '../storage/container.js';
import { ELEMENT_TYPES, hasPlainNumbers } from '../storage/elementTypes.js';
import type { ModelTensor } from './types.js';

/** Modules whose weights quantizers leave alone (the papers' protocol), and how they are called. */
const LEFT_ALONE: readonly (readonly [what: string, names: RegExp])[] = [
  [
    'an embedding',
    /^(embed_tokens|embed_positions|embed_in|tok_embeddings|word_embeddings|position_embeddings|token_type_embeddings|embeddings?|wte|wpe|shared|rotary_emb)$/i,
  ],
  ['a head', /^(embed_out|lm_head|output|score|classifier)$/i],
  ['a norm', /^ln_[a-z0-9]+$/i],
];

/** Why a tensor cannot be quantized at all; undefined where it can. */
function whyNotQuantizable({ dtype, elements, shape }: StoredTensor): string | undefined {
  const { kind } = ELEMENT_TYPES[dtype];
  if (!hasPlainNumbers(dtype)) return `element type ${dtype}`;
  if (kind !== 'float' && kind !== 'scale') return `integer type ${dtype}`;
  if (kind === 'scale') return `scales of another format (${dtype})`;
  if (elements === 0) return 'no elements';
  if (shape.length < 2) return 'one-dimensional';
  return undefined;
}

/** Why quantizers leave a tensor alone that they could take; undefined where they take it. */
function whyLeftAlone({ name, shape }: StoredTensor): string | undefined {
  if (shape.length > 2) return `${shape.length} dimensions`;
  const parts = name.split('.');
  if (parts.length > 1 && parts[parts.length - 1] === 'bias') return 'a bias';
  const modules = parts.slice(0, -1);
  if (modules.some((module) => /norm/i.test(module))) return 'a norm';
  const module = modules[modules.length - 1] ?? '';
  return LEFT_ALONE.find(([, names]) => names.test(module))?.[0];
}

/** What a quantizer does with a tensor by default, and why. */
export function describeQuantization(
  tensor: StoredTensor,
): Pick<ModelTensor, 'quantizedByDefault' | 'notByDefault' | 'notQuantizable'> {
  const notQuantizable = whyNotQuantizable(tensor);
  const notByDefault = notQuantizable ?? whyLeftAlone(tensor);
  return { quantizedByDefault: notByDefault === undefined, notByDefault, notQuantizable };
}
