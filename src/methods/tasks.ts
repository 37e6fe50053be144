import type { ClipApi } from './clipping/tasks.js';
import type { GptqApi } from './gptq/tasks.js';
import type { GramApi } from './gram/tasks.js';
import type { SparseApi } from './gwq/tasks.js';
import type { HqqApi } from './hqq/tasks.js';
import type { ImportanceApi } from './imatrix/tasks.js';
import type { LlmFp4Api } from './llmFp4/tasks.js';
import type { SampleApi } from './samples/tasks.js';
import type { VptqApi } from './vptq/tasks.js';

/** What a compute worker does for calibrated methods, over memory that tasks name by addresses. */
export type CalibrationApi = GramApi &
  GptqApi &
  ClipApi &
  HqqApi &
  ImportanceApi &
  LlmFp4Api &
  SampleApi &
  SparseApi &
  VptqApi;
