import type { OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { NumberFormat, ScaleDtype } from '../../formats/index.js';
import type { ComparisonReport, FormatComparison } from '../../reports/reports.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { countMixBits, identifyMix, resolveMix, type FormatMix } from '../mixes.js';
import { reportWeights } from './compareWeights.js';
import { describeFormats, describeMeasured } from './describeFormats.js';
import { quantizeTensors, type QuantizedTensor, type QuantizeTimes } from './quantizeTensors.js';

/** A mix's tensors, each quantized in its one format. */
export interface MeasuredMix {
  readonly mix: FormatMix;
  /** In checkpoint order. */
  readonly tensors: readonly QuantizedTensor[];
}

/** Errors of a mix, tensor by tensor and of all. */
export function describeMix(
  { mix, tensors }: MeasuredMix,
  scaleDtype: ScaleDtype,
): FormatComparison {
  const byFormat = new Map<NumberFormat, QuantizedTensor[]>();
  for (const each of tensors) {
    const [format] = each.formats;
    byFormat.set(format, [...(byFormat.get(format) ?? []), each]);
  }
  const mixed = tensors.map(({ tensor, formats: [format] }) => ({ tensor, format }));
  const identity = identifyMix(mix, mixed, scaleDtype);
  const {
    summary,
    layers,
    tensors: described,
  } = describeMeasured(tensors, 0, ({ formats: [format] }) => format.id);
  const notes = [...byFormat].flatMap(([format, some]) =>
    describeFormats([format], some, scaleDtype)[0].notes.map((note) => `${format.id}: ${note}`),
  );
  const sizeBytes = Math.ceil(countMixBits(mixed, scaleDtype) / 8);
  return {
    ...identity,
    notes: [...identity.notes, ...notes],
    summary: { ...summary, sizeBytes },
    layers,
    tensors: described,
  };
}

/** The report of a mix by itself. */
export function reportMix(
  pool: WorkerPool,
  model: OpenedModel,
  measured: MeasuredMix,
  { scaleDtype, times, begin }: { scaleDtype: ScaleDtype; times: QuantizeTimes; begin: number },
): ComparisonReport {
  const { tensors } = measured;
  const report = reportWeights(pool, model, { formats: [], scaleDtype, tensors, times, begin });
  return { ...report, formats: [describeMix(measured, scaleDtype)] };
}

/** Quantizes the tensors of mixes, each in its format, and reports the errors. Weights are never changed. */
export async function compareMixes(
  pool: WorkerPool,
  model: OpenedModel,
  mixes: readonly FormatMix[],
  scaleDtype: ScaleDtype,
  { signal, onProgress }: CallOptions = {},
): Promise<ComparisonReport[]> {
  const reports: ComparisonReport[] = [];
  for (const mix of mixes) {
    const begin = performance.now();
    const resolved = resolveMix(model, mix);
    const total = resolved.reduce((sum, { tensor }) => sum + tensor.elements, 0);
    const times: QuantizeTimes = { read: 0, kernel: 0 };
    const measured = new Map<string, QuantizedTensor>();
    let done = 0;
    for (const format of new Set(resolved.map((each) => each.format.id))) {
      const some = resolved.filter((each) => each.format.id === format);
      const outcome = await quantizeTensors(
        pool,
        { tensors: some.map(({ tensor }) => tensor), formats: [some[0].format], scaleDtype },
        {
          signal,
          onProgress: (progress) =>
            onProgress?.({ ...progress, done: done + progress.done, total }),
        },
      );
      done += some.reduce((sum, { tensor }) => sum + tensor.elements, 0);
      times.read += outcome.times.read;
      times.kernel += outcome.times.kernel;
      for (const each of outcome.tensors) measured.set(each.tensor.name, each);
    }
    const tensors = resolved.map(({ tensor }) => measured.get(tensor.name)!);
    reports.push(reportMix(pool, model, { mix, tensors }, { scaleDtype, times, begin }));
  }
  return reports;
}

/** Two comparisons of one model, one after the other. */
export function joinReports(first: ComparisonReport, second: ComparisonReport): ComparisonReport {
  const [a, b] = [first.timings, second.timings];
  return {
    ...first,
    formats: [...first.formats, ...second.formats],
    timings: {
      ...a,
      readSeconds: a.readSeconds + b.readSeconds,
      quantizeSeconds: a.quantizeSeconds + b.quantizeSeconds,
      totalSeconds: a.totalSeconds + b.totalSeconds,
      peakRssBytes: Math.max(a.peakRssBytes, b.peakRssBytes),
    },
  };
}
