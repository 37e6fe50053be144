import { storedNameOfLinear } from '../../../gguf/families.js';
import { unwrappedName } from '../../../model/config/tensorNames.js';
import { escapeExpression, expressAll, type RecipeExporter } from '../exporter.js';

/**
 * The file of tensor types that llama-quantize takes (`tensor=type`, one a line; tensors are regular expressions of
 * ECMAScript that are searched for in names of GGUF).
 */
export const llamaQuantize: RecipeExporter = {
  name: 'llama-quantize',
  label: "llama-quantize's file of tensor types",
  write({ tensors, kept }) {
    const { expressed, notes } = expressAll(this.label, tensors, (name, { entry, search, id }) => {
      const stored = storedNameOfLinear(unwrappedName(name));
      if (stored === undefined) return "llama.cpp's names of them are not known";
      if (entry.rule.kind === 'ggml') return { stored, type: entry.rule.type };
      if (entry.rule.kind === 'cast' && search === 'none') return { stored, type: entry.name };
      return `GGUF has no type ${id}`;
    });
    const lines = expressed.map(
      ({ settings: { stored, type } }) => `^${escapeExpression(stored)}$=${type}\n`,
    );
    const left = tensors.length - expressed.length + kept.length;
    return {
      text: lines.join(''),
      notes: [
        ...notes,
        ...(left > 0
          ? [
              `Of ${left} linear weights that are not in the file, and of embeddings and the head, the type given to llama-quantize beside it decides.`,
            ]
          : [
              'Of embeddings and the head the type given to llama-quantize beside the file decides.',
            ]),
        'With an importance matrix llama-quantize rounds otherwise than was measured here.',
      ],
    };
  },
};
