import type { ModelTensor } from '../../../checkpoint/types.js';
import type { Check } from '../check.js';

/** Weights of which it says something when all are alike; biases, norms and parts of other weights may be. */
function isMatrix({ shape, role, notQuantizable }: ModelTensor): boolean {
  return shape.length >= 2 && role !== 'bias' && role !== 'norm' && notQuantizable === undefined;
}

/** Masks of attention are infinite on purpose. */
function isMask({ nameInLayer }: ModelTensor): boolean {
  return nameInLayer.includes('mask');
}

const notFinite: Check = {
  id: 'weights-not-finite',
  source: 'https://github.com/huggingface/peft/pull/1001',
  *find({ tensors }) {
    for (const { tensor, examined } of tensors) {
      if (!examined || examined.nan + examined.infinite === 0 || isMask(tensor)) continue;
      const counts = [
        ...(examined.nan > 0 ? [`${examined.nan} NaN`] : []),
        ...(examined.infinite > 0 ? [`${examined.infinite} infinite`] : []),
      ];
      yield {
        ...{ severity: 'error', file: tensor.file, tensor: tensor.name },
        message: `${counts.join(' and ')} of ${examined.elements} weights`,
      };
    }
  },
};

const allZero: Check = {
  id: 'tensor-all-zero',
  source: 'https://github.com/deepspeedai/DeepSpeed/issues/3090',
  *find({ tensors }) {
    for (const { tensor, examined } of tensors) {
      if (!examined || examined.zeros < examined.elements || !isMatrix(tensor)) continue;
      yield {
        ...{ severity: 'warning', file: tensor.file, tensor: tensor.name },
        message: `all ${examined.elements} weights are zero: it may never have been written`,
      };
    }
  },
};

const empty: Check = {
  id: 'tensor-empty',
  source: 'https://github.com/deepspeedai/DeepSpeed/issues/7900',
  *find({ tensors }) {
    for (const { tensor } of tensors) {
      if (tensor.elements > 0 || tensor.role === 'bias') continue;
      yield {
        ...{ severity: 'warning', file: tensor.file, tensor: tensor.name },
        message:
          'it has no elements: it may have been saved without being gathered from its shards',
      };
    }
  },
};

/** Fewer weights may be round numbers by chance. */
const FEWEST_WEIGHTS = 256;

const f32HoldsBf16: Check = {
  id: 'f32-holds-bf16',
  source: 'https://github.com/meta-llama/llama-cookbook/issues/289',
  *find({ tensors }) {
    const plain = tensors.filter(
      ({ tensor, examined }) =>
        tensor.dtype === 'F32' && !tensor.storage && examined && isMatrix(tensor),
    );
    const narrow = plain.filter(
      ({ examined }) =>
        examined!.lowBits === 0 &&
        examined!.elements >= FEWEST_WEIGHTS &&
        examined!.min < examined!.max,
    );
    if (narrow.length === 0) return;
    const [{ tensor }] = narrow;
    const all = narrow.length === plain.length;
    const bytes = narrow.reduce((sum, each) => sum + each.tensor.bytes, 0);
    yield {
      ...{ severity: 'info', file: tensor.file },
      ...(narrow.length === 1 ? { tensor: tensor.name } : {}),
      message: `${all ? 'all ' : ''}${narrow.length} F32 weight ${narrow.length === 1 ? 'matrix holds' : 'matrices hold'} BF16 values: ${bytes / 2} bytes could be saved without loss`,
    };
  },
};

export const valueChecks: readonly Check[] = [notFinite, allZero, empty, f32HoldsBf16];
