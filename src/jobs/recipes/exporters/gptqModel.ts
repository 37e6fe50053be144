import {
  escapeExpression,
  expressAll,
  groupBySettings,
  groupSizeOf,
  moduleOf,
  type RecipeExporter,
} from '../exporter.js';

const BITS = [2, 3, 4, 8];
const GROUP_SIZES = [-1, 16, 32, 64, 128, 256, 512, 1024];

/**
 * GPTQModel's quantization configuration: the commonest settings, and `dynamic` with a regular expression for each
 * module that has others ("+:") or stays as it is ("-:").
 */
export const gptqModel: RecipeExporter = {
  name: 'gptqmodel',
  label: "GPTQModel's dynamic configuration",
  write({ tensors, kept }) {
    const { expressed, notes } = expressAll(this.label, tensors, (_, format) => {
      const { entry, id } = format;
      const { rule } = entry;
      if (rule.kind === 'cast') return `${id} is no quantization, and they are left out by name`;
      if (rule.kind !== 'integer' || !rule.convention.startsWith('gptq')) {
        return `GPTQ has integers as int4-sym and int4-asym, and ${id} is none of them`;
      }
      const size = groupSizeOf(format);
      if (!BITS.includes(rule.bits))
        return `GPTQModel packs ${BITS.join(', ')} bits and not ${rule.bits}`;
      if (size === undefined || !GROUP_SIZES.includes(size)) {
        return `GPTQModel has groups of ${GROUP_SIZES.slice(1).join(', ')} columns or whole rows, and ${id} has others`;
      }
      return { bits: rule.bits, group_size: size, sym: rule.convention === 'gptq-sym' };
    });
    const groups = groupBySettings(expressed);
    const [base] = [...groups].sort((a, b) => b.names.length - a.names.length);
    const written = new Set(expressed.map(({ name }) => name));
    const left = [...tensors.map(({ name }) => name).filter((name) => !written.has(name)), ...kept];
    const expression = (name: string) => `^${escapeExpression(moduleOf(name))}$`;
    const dynamic = Object.fromEntries([
      ...groups
        .filter((group) => group !== base)
        .flatMap(({ names, settings }) => names.map((name) => [`+:${expression(name)}`, settings])),
      ...left.map((name) => [`-:${expression(name)}`, {}]),
    ]) as Readonly<Record<string, object>>;
    return {
      text: `${JSON.stringify({ ...base.settings, dynamic }, undefined, 2)}\n`,
      notes: [
        ...notes,
        'GPTQModel chooses codes by GPTQ on a calibration text, which is better than rounding to nearest as measured here.',
        ...(tensors.some(({ format }) => format.includes('+'))
          ? ['Searches for ranges (+mse, +clip) are not in the file.']
          : []),
      ],
    };
  },
};
