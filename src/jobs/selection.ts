import type { ModelTensor, OpenedModel } from '../checkpoint/types.js';
import { quoted, type Remedy } from '../storage/errors.js';
import { compileGlob } from './globs/globMatcher.js';

export interface Selection {
  /** Exact names. */
  readonly tensors?: readonly string[];
  /** Globs over names; `*` matches dots and slashes too. */
  readonly tensorGlobs?: readonly string[];
}

/** A matcher for globs over tensor names. */
export function makeTensorMatcher(globs: readonly string[]): (name: string) => boolean {
  const matchers = globs.map(compileGlob);
  return (name) => matchers.some((matches) => matches(name));
}

/** Raised when a selection names nothing that can be quantized; one line. */
export class SelectionError extends Error {
  override readonly name = 'SelectionError';

  constructor(
    message: string,
    readonly remedy?: Remedy,
  ) {
    super(message);
  }
}

/**
 * Of the tensors of a layer, those that quantizing the layer takes: what is quantized by default, else all
 * that can be. A layer chosen by hand may hold nothing but an embedding: then that is what is meant.
 */
export function selectInLayer<
  Tensor extends Pick<ModelTensor, 'quantizedByDefault' | 'notQuantizable'>,
>(tensors: readonly Tensor[]): Tensor[] {
  const byDefault = tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
  if (byDefault.length > 0) return byDefault;
  return tensors.filter(({ notQuantizable }) => notQuantizable === undefined);
}

/** Why a weight that architectures ask for is not among the tensors. */
function describeLost([name, reason]: readonly [string, string]): string {
  return `${quoted(name)} is stored in a way that cannot be decoded (${reason})`;
}

/**
 * The tensors a quantizing job works on, in checkpoint order.
 * @throws SelectionError when a name is unknown, cannot be quantized, or nothing matches
 */
export function selectTensors(model: OpenedModel, selection: Selection): ModelTensor[] {
  const { tensors: names, tensorGlobs: globs } = selection;
  let selected: ModelTensor[];
  if (names) {
    const byName = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
    const wanted = new Set(names);
    for (const name of wanted) {
      const tensor = byName.get(name);
      if (!tensor) {
        const reason = model.undecodable.get(name);
        const why =
          reason === undefined ? `there is no tensor "${name}"` : describeLost([name, reason]);
        throw new SelectionError(`${model.path}: ${why}`);
      }
      if (tensor.notQuantizable !== undefined) {
        throw new SelectionError(
          `${tensor.file}: "${name}" cannot be quantized: ${tensor.notQuantizable}`,
        );
      }
    }
    selected = model.tensors.filter((tensor) => wanted.has(tensor.name));
  } else if (globs && globs.length > 0) {
    const matches = makeTensorMatcher(globs);
    const matching = model.tensors.filter((tensor) => matches(tensor.name));
    if (matching.length === 0) {
      const lost = [...model.undecodable].find(([name]) => matches(name));
      if (lost) throw new SelectionError(`${model.path}: ${describeLost(lost)}`);
      throw new SelectionError(`${model.path}: no tensor matches ${globs.join(', ')}`);
    }
    selected = matching.filter(({ notQuantizable }) => notQuantizable === undefined);
    if (selected.length === 0) {
      throw new SelectionError(
        `${model.path}: of the tensors matching ${globs.join(', ')} none can be quantized: "${matching[0].name}": ${matching[0].notQuantizable}`,
      );
    }
  } else {
    selected = model.tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
  }
  if (selected.length === 0) {
    const [lost] = model.undecodable;
    if (lost) {
      throw new SelectionError(
        `${model.path}: no linear weights that can be decoded; ${describeLost(lost)}`,
      );
    }
    throw new SelectionError(
      `${model.path}: no linear weights found; choose tensors by name`,
      'choose-tensors',
    );
  }
  return selected;
}
