import type { NumberFormat } from '../../formats/types.js';
import type { CalibrationMethod } from '../types.js';
import { vptqStep } from '../vptq/quantizeStep.js';
import { countVptqBits, VPTQ_OPTIONS } from '../vptq/settings.js';

const FORMAT = 'f16';

function refuses({ id }: NumberFormat): string | undefined {
  return id === FORMAT
    ? undefined
    : `VPTQ stores places in a codebook, no codes of ${id}: write vptq-v4-k256`;
}

/** VPTQ (arXiv 2409.17066): vectors of weights become places in a codebook, column after column. */
export const VPTQ: CalibrationMethod = Object.freeze({
  name: 'vptq',
  label: 'VPTQ',
  description:
    'Replaces vectors of weights by centroids, column after column; later weights make up for the errors',
  source: 'arXiv 2409.17066; github.com/microsoft/VPTQ (branch algorithm)',
  reconstructed: false,
  notes: [
    'Without the fine-tuning that published results of VPTQ include.',
    'First centroids are drawn by a generator with a seed; the original’s k-means gives others on each machine.',
    'Proxy errors are tr(ΔW·H·ΔWᵀ)/tr(W·H·Wᵀ), by products without damping; loss is the squared error of the outputs, averaged over rows.',
    'The products are those of the partly quantized model; released checkpoints used those of the unquantized one.',
  ],
  options: VPTQ_OPTIONS,
  defaults: {
    windows: 64,
    context: 256,
    published: 'products of 6144 sequences of 8192 tokens of RedPajama',
    passes: 3,
  },
  notation: { format: FORMAT, letters: ['v', 'k', 'r'] },
  storedBits: countVptqBits,
  refuses,
  quantize: vptqStep,
});
