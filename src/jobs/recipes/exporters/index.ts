import type { RecipeExporter } from '../exporter.js';
import { compressedTensors } from './compressedTensors.js';
import { gptqModel } from './gptqModel.js';
import { llamaQuantize } from './llamaQuantize.js';
import { mlxLm } from './mlxLm.js';

/** Programs that recipes can be written for. */
export const EXPORTERS: readonly RecipeExporter[] = [
  llamaQuantize,
  gptqModel,
  compressedTensors,
  mlxLm,
];
