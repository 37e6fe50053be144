import type { GptqApi } from './gptq/tasks.js';
import type { GramApi } from './gram/tasks.js';

/** What a compute worker does for calibrated methods, over memory that tasks name by addresses. */
export interface CalibrationApi extends GptqApi, GramApi {}
