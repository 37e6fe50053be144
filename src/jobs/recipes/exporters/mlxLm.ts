import type { NumberFormat } from '../../../formats/index.js';
import { expressAll, groupSizeOf, moduleOf, type RecipeExporter } from '../exporter.js';

const BITS = [2, 3, 4, 5, 6, 8];
const GROUP_SIZES = [32, 64, 128];

/** What mlx.nn.quantize takes for a module. */
function settingsOf(format: NumberFormat): object | string {
  const { entry, id } = format;
  const { rule } = entry;
  const size = groupSizeOf(format);
  if (rule.kind === 'cast') return `${id} is no quantization, and they stay as they are`;
  if (entry.name === 'mxfp4') return { group_size: 32, bits: 4, mode: 'mxfp4' };
  if (entry.name === 'nvfp4') return { group_size: 16, bits: 4, mode: 'nvfp4' };
  if (rule.kind !== 'integer') return `MLX has no mode for ${id}`;
  if (rule.convention === 'gptq-sym' || rule.convention === 'absmax') {
    return `MLX has integers with a scale and a bias, and ${id} has no bias`;
  }
  if (!BITS.includes(rule.bits)) return `MLX packs ${BITS.join(', ')} bits and not ${rule.bits}`;
  if (size === undefined || !GROUP_SIZES.includes(size)) {
    return `MLX has groups of ${GROUP_SIZES.join(', ')} columns, and ${id} has others`;
  }
  return { group_size: size, bits: rule.bits, mode: 'affine' };
}

/** A Python file with the `quant_predicate` that mlx_lm.convert takes. */
export const mlxLm: RecipeExporter = {
  name: 'mlx-lm',
  label: "mlx-lm's quant_predicate",
  write({ tensors }) {
    const { expressed, notes } = expressAll(this.label, tensors, (_, format) => settingsOf(format));
    const lines = expressed.map(
      ({ name, settings }) =>
        `    ${JSON.stringify(moduleOf(name))}: ${JSON.stringify(settings)},\n`,
    );
    return {
      text:
        '# mlx_lm.convert(path, quantize=True, quant_predicate=quant_predicate)\n' +
        `SETTINGS = {\n${lines.join('')}}\n\n\n` +
        'def quant_predicate(path, module, *_):\n' +
        '    return SETTINGS.get(path, False)\n',
      notes: [
        ...notes,
        "MLX's integers have a bias of their own in the place of a zero point and ranges without zero: errors differ a little from those measured here, and a group takes 32 bits beside its codes.",
      ],
    };
  },
};
