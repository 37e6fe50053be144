import type { StoredTensor } from '../storage/container.js';
import { ELEMENT_TYPES, hasPlainNumbers } from '../storage/elementTypes.js';
import type { ModelTensor, TensorRole } from './types.js';

/** How modules of a role are called. */
const MODULE_NAMES: readonly (readonly [role: TensorRole, names: RegExp])[] = [
  [
    'embedding',
    /^(embed_tokens|embed_positions|embed_in|tok_embeddings|word_embeddings|position_embeddings|token_type_embeddings|embeddings?|wte|wpe|shared|rotary_emb)$/i,
  ],
  ['head', /^(embed_out|lm_head|output|score|classifier)$/i],
  ['norm', /^ln_[a-z0-9]+$/i],
];

/** Roles that quantizers leave alone (the papers' protocol), as a reason. */
const LEFT_ALONE: Readonly<Partial<Record<TensorRole, string>>> = {
  embedding: 'an embedding',
  head: 'a head',
  norm: 'a norm',
  bias: 'a bias',
};

/** No module that is known has a longer name. */
const MAX_MODULE_CHARACTERS = 100;

/** What a tensor is for, by its name. */
function roleOf(name: string): TensorRole {
  const end = name.lastIndexOf('.');
  if (end < 0) return 'other';
  if (name.endsWith('.bias')) return 'bias';
  const modules = name.slice(0, end);
  if (/norm/i.test(modules)) return 'norm';
  const module = modules.slice(modules.lastIndexOf('.') + 1);
  if (module.length > MAX_MODULE_CHARACTERS) return 'other';
  return MODULE_NAMES.find(([, names]) => names.test(module))?.[0] ?? 'other';
}

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
function whyLeftAlone({ shape }: StoredTensor, role: TensorRole): string | undefined {
  return shape.length > 2 ? `${shape.length} dimensions` : LEFT_ALONE[role];
}

/** What a tensor is for, what a quantizer does with it by default, and why. */
export type QuantizationOfTensor = Pick<
  ModelTensor,
  'role' | 'quantizedByDefault' | 'notByDefault' | 'notQuantizable'
>;

/**
 * Finds out {@link QuantizationOfTensor}, by a tensor's name, element type and shape.
 * @param partOf why it is no weight by itself, where it is a part of another
 */
export function describeQuantization(tensor: StoredTensor, partOf?: string): QuantizationOfTensor {
  const role = roleOf(tensor.name);
  const notQuantizable = partOf ?? whyNotQuantizable(tensor);
  const notByDefault = notQuantizable ?? whyLeftAlone(tensor, role);
  return { role, quantizedByDefault: notByDefault === undefined, notByDefault, notQuantizable };
}
