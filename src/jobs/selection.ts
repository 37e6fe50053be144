import picomatch from 'picomatch';
import { isDecodable } from '../kernels/reference/decode.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';

/** Modules whose weights quantizers leave alone: embeddings, heads, norms (the papers' protocol). */
const NOT_QUANTIZED =
  /(^|\.)(embed_tokens|embed_positions|embed_in|embed_out|tok_embeddings|word_embeddings|position_embeddings|token_type_embeddings|embeddings?|wte|wpe|shared|lm_head|output|score|classifier|rotary_emb|.*norm.*|ln_[a-z0-9]+)\.[^.]*$/i;

/** Why a tensor cannot be quantized at all, or undefined where it can. */
export function notQuantizable(tensor: CheckpointTensor): string | undefined {
  if (!isDecodable(tensor.dtype)) return `element type ${tensor.dtype}`;
  if (/^([UI]\d|BOOL)/.test(tensor.dtype)) return `integer type ${tensor.dtype}`;
  if (tensor.dtype === 'F8_E8M0') return 'scales of another format (F8_E8M0)';
  if (tensor.elements === 0) return 'no elements';
  if (tensor.shape.length < 2) return 'one-dimensional';
  return undefined;
}

/** True for what a quantizer would touch: two-dimensional weights of linear layers. */
export function isQuantizedByDefault(tensor: CheckpointTensor): boolean {
  return (
    notQuantizable(tensor) === undefined &&
    tensor.shape.length === 2 &&
    !tensor.name.endsWith('.bias') &&
    !NOT_QUANTIZED.test(tensor.name)
  );
}

export interface Selection {
  /** Exact names. */
  readonly tensors?: readonly string[];
  /** Globs over names; `*` matches dots and slashes too. */
  readonly tensorGlobs?: readonly string[];
}

/** A matcher for globs over tensor names. */
export function tensorMatcher(globs: readonly string[]): (name: string) => boolean {
  const matchers = globs.map((glob) => picomatch(glob, { bash: true, dot: true }));
  return (name) => matchers.some((matches) => matches(name));
}

/** Raised when a selection names nothing that can be quantized; one line. */
export class SelectionError extends Error {
  override readonly name = 'SelectionError';
}

/**
 * The tensors a quantizing job works on, in checkpoint order.
 * @throws SelectionError when a name is unknown, cannot be quantized, or nothing matches
 */
export function selectTensors(checkpoint: Checkpoint, selection: Selection): CheckpointTensor[] {
  const { tensors: names, tensorGlobs: globs } = selection;
  let selected: CheckpointTensor[];
  if (names) {
    const byName = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
    const wanted = new Set(names);
    for (const name of wanted) {
      const tensor = byName.get(name);
      if (!tensor) throw new SelectionError(`${checkpoint.path}: there is no tensor "${name}"`);
      const reason = notQuantizable(tensor);
      if (reason) {
        throw new SelectionError(`${tensor.file}: "${name}" cannot be quantized: ${reason}`);
      }
    }
    selected = checkpoint.tensors.filter((tensor) => wanted.has(tensor.name));
  } else if (globs && globs.length > 0) {
    const matches = tensorMatcher(globs);
    const matching = checkpoint.tensors.filter((tensor) => matches(tensor.name));
    if (matching.length === 0) {
      throw new SelectionError(`${checkpoint.path}: no tensor matches ${globs.join(', ')}`);
    }
    selected = matching.filter((tensor) => notQuantizable(tensor) === undefined);
    if (selected.length === 0) {
      throw new SelectionError(
        `${checkpoint.path}: of the tensors matching ${globs.join(', ')} none can be quantized: "${matching[0].name}" is ${notQuantizable(matching[0])}`,
      );
    }
  } else {
    selected = checkpoint.tensors.filter(isQuantizedByDefault);
  }
  if (selected.length === 0) {
    throw new SelectionError(
      `${checkpoint.path}: no linear weights found; choose tensors by name (--tensor)`,
    );
  }
  return selected;
}
