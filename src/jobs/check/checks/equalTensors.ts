import { quoted } from '../../../storage/errors.js';
import type { Check, CheckedTensor } from '../check.js';

/** Fewer elements may be equal by chance. */
const FEWEST_ELEMENTS = 64;

/** What tells the contents of tensors apart. */
function contentKey({ tensor, examined }: CheckedTensor): string {
  const { dtype, shape, storage } = tensor;
  return JSON.stringify([dtype, shape, storage?.label, examined!.checksum]);
}

function areTied(one: CheckedTensor, other: CheckedTensor): boolean {
  return new Set([one.tensor.role, other.tensor.role]).has('head')
    ? [one, other].some(({ tensor }) => tensor.role === 'embedding')
    : [one, other].every(({ tensor }) => tensor.role === 'embedding');
}

const duplicates: Check = {
  id: 'tensor-duplicated',
  source: 'https://github.com/safetensors/safetensors/issues/202',
  *find({ tensors }) {
    const first = new Map<string, CheckedTensor>();
    for (const checked of tensors) {
      const { tensor, examined } = checked;
      // Masks, tables of positions and what all layers begin with are equal by right.
      const counts =
        examined &&
        examined.elements >= FEWEST_ELEMENTS &&
        examined.min < examined.max &&
        (tensor.quantizedByDefault || tensor.role === 'embedding' || tensor.role === 'head');
      if (!counts) continue;
      const key = contentKey(checked);
      const twin = first.get(key);
      if (!twin) first.set(key, checked);
      else if (!areTied(twin, checked)) {
        yield {
          ...{ severity: 'warning', file: tensor.file, tensor: tensor.name },
          message: `it holds the same values as ${quoted(twin.tensor.name)}`,
        };
      }
    }
  },
};

/** Whether the configuration says that head and embedding are one matrix. */
function isTied(config: Readonly<Record<string, unknown>> | undefined): boolean {
  const inner = config?.text_config;
  const nested = typeof inner === 'object' && inner !== null ? inner : {};
  return [config, nested].some((each) =>
    each && 'tie_word_embeddings' in each ? each.tie_word_embeddings === true : false,
  );
}

const tiedHead: Check = {
  id: 'tied-head-differs',
  source: 'https://github.com/huggingface/transformers/pull/42612',
  *find({ tensors, model }) {
    if (!isTied(model.config)) return;
    const matrices = tensors.filter(
      ({ tensor, examined }) => examined && tensor.shape.length === 2,
    );
    const embeddings = matrices.filter(({ tensor }) => tensor.role === 'embedding');
    for (const head of matrices.filter(({ tensor }) => tensor.role === 'head')) {
      const [outputs, inputs] = head.tensor.shape;
      const same = embeddings.filter(
        ({ tensor: { shape } }) => shape[0] === outputs && shape[1] === inputs,
      );
      const comparable = same.filter(({ tensor }) => tensor.dtype === head.tensor.dtype);
      if (comparable.length === 0 || comparable.length < same.length) continue;
      if (comparable.some((each) => contentKey(each) === contentKey(head))) continue;
      yield {
        ...{ severity: 'warning', file: head.tensor.file, tensor: head.tensor.name },
        message: `the configuration ties it to ${quoted(comparable[0].tensor.name)} (tie_word_embeddings), but other values are stored: loaders use one of the two`,
      };
    }
  },
};

export const equalTensorChecks: readonly Check[] = [duplicates, tiedHead];
