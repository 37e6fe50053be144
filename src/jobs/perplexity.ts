import type { WorkerPool } from '../compute/workerPool.js';
import { formatLabel, type ScaleDtype } from '../formats/index.js';
import { transposedWeights } from '../model/languageModel.js';
import type { CallOptions } from '../protocol/rpc.js';
import type { Checkpoint } from '../safetensors/types.js';
import { matrixShapeOf, parseFormats, storedSize } from './formatList.js';
import {
  measureFormats,
  type MeasuredPerplexity,
  type PerplexitySettings,
} from './formatPerplexity.js';
import { summarizeModel } from './modelSummary.js';
import type { ComparisonReport, PerplexityReport } from './reports.js';
import { isQuantizedByDefault, selectTensors, type Selection } from './selection.js';

export interface PerplexityRequest extends Selection, PerplexitySettings {
  /** Format names; none: the unquantized model alone. */
  readonly formats: readonly string[];
  readonly scaleDtype?: ScaleDtype;
}

/**
 * Perplexity of a model, and of the same model with the selected tensors in each format: what
 * `perplexity --json` prints.
 * @throws an Error of one line that names the file and the rule; an AbortError when cancelled
 */
export async function measurePerplexity(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  request: PerplexityRequest,
  options: CallOptions = {},
): Promise<PerplexityReport> {
  const begin = performance.now();
  const formats = parseFormats(request.formats);
  const scaleDtype = request.scaleDtype ?? 'f16';
  const selected = formats.length > 0 ? selectTensors(checkpoint, request) : [];
  const measured = await measureFormats(
    pool,
    checkpoint,
    formats,
    selected,
    scaleDtype,
    false,
    request,
    options,
  );
  const about = selected.length > 0 ? selected : checkpoint.tensors.filter(isQuantizedByDefault);
  const transposed = await transposedWeights(checkpoint);
  const shapes = selected.map((tensor) => matrixShapeOf(tensor, transposed));
  return {
    model: await summarizeModel(checkpoint, about),
    text: measured.text,
    baseline: { perplexity: measured.baseline },
    formats: formats.map((format, index) => {
      const { bits, elements } = storedSize(format, shapes, scaleDtype);
      return {
        id: format.id,
        label: formatLabel(format),
        bitsPerWeight: bits / elements,
        approximate: format.entry.reconstructed,
        notes: format.entry.notes,
        perplexity: measured.formats[index].whole,
      };
    }),
    notes: measured.notes,
    timings: {
      tokenizeSeconds: measured.tokenizeSeconds,
      forwardSeconds: measured.forwardSeconds,
      totalSeconds: (performance.now() - begin) / 1000,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      backend: pool.backend,
      threads: pool.threads,
    },
  };
}

/** A comparison of weights with the perplexities of the same formats and tensors beside it. */
export function withPerplexity(
  report: ComparisonReport,
  measured: MeasuredPerplexity,
): ComparisonReport {
  return {
    ...report,
    text: measured.text,
    baseline: { perplexity: measured.baseline },
    formats: report.formats.map((format, index) => {
      const { whole, alone } = measured.formats[index];
      return {
        ...format,
        notes: [...format.notes, ...measured.notes],
        perplexity: whole,
        tensors: format.tensors.map((tensor, at) =>
          at < alone.length ? { ...tensor, perplexityAlone: alone[at] } : tensor,
        ),
      };
    }),
    timings: { ...report.timings, forwardSeconds: measured.forwardSeconds },
  };
}
