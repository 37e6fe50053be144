import type { NumberFormat } from '../../../formats/index.js';
import {
  expressAll,
  groupBySettings,
  groupSizeOf,
  moduleOf,
  type RecipeExporter,
} from '../exporter.js';

/** What compressed-tensors calls `weights` of a group. */
function weightsOf(format: NumberFormat): object | string {
  const { entry, id, group } = format;
  const { rule } = entry;
  const size = groupSizeOf(format);
  const strategy =
    size === -1
      ? { strategy: 'channel' }
      : size === undefined
        ? { strategy: 'tensor' }
        : { strategy: 'group', group_size: size };
  if (rule.kind === 'cast') return `${id} is no quantization, and they are left out by name`;
  if (entry.name === 'nvfp4') {
    return {
      num_bits: 4,
      type: 'float',
      symmetric: true,
      strategy: 'tensor_group',
      group_size: 16,
    };
  }
  if (entry.name === 'mxfp4' || entry.name === 'mxfp4-round') {
    return { num_bits: 4, type: 'float', symmetric: true, strategy: 'group', group_size: 32 };
  }
  if (entry.name === 'fp8-e4m3' && group.kind !== 'columns') {
    return { num_bits: 8, type: 'float', symmetric: true, ...strategy };
  }
  if (rule.kind === 'integer' && group.kind !== 'blocks') {
    const symmetric = rule.convention === 'gptq-sym' || rule.convention === 'absmax';
    return { num_bits: rule.bits, type: 'int', symmetric, ...strategy };
  }
  return `compressed-tensors has no scheme for ${id}`;
}

/** The `quantization_config` of compressed-tensors: a group of modules for each scheme. */
export const compressedTensors: RecipeExporter = {
  name: 'compressed-tensors',
  label: "compressed-tensors' quantization_config",
  write({ tensors, kept }) {
    const { expressed, notes } = expressAll(this.label, tensors, (_, format) => weightsOf(format));
    const written = new Set(expressed.map(({ name }) => name));
    const groups = groupBySettings(expressed).map(({ settings, names }, index) => [
      `group_${index}`,
      { targets: names.map(moduleOf), weights: settings },
    ]);
    const ignore = [
      ...tensors.map(({ name }) => name).filter((name) => !written.has(name)),
      ...kept,
    ];
    const configuration = {
      quant_method: 'compressed-tensors',
      config_groups: Object.fromEntries(groups) as object,
      ignore: [...ignore.map(moduleOf), 'lm_head'],
    };
    return {
      text: `${JSON.stringify(configuration, undefined, 2)}\n`,
      notes: [
        ...notes,
        ...(tensors.some(({ format }) => format.startsWith('mxfp4'))
          ? ['compressed-tensors rounds the scales of MXFP4 as mxfp4-round does, not as mxfp4.']
          : []),
        'Which packings a runtime can run, and whether it joins q/k/v and gate/up, is not in the file: vLLM wants one scheme for what it joins.',
        ...(tensors.some(({ format }) => format.includes('+'))
          ? ['Searches for ranges (+mse, +clip) are not in the file.']
          : []),
      ],
    };
  },
};
