import type { OpenedModel } from '../../src/checkpoint/types.js';
import type { WorkerPool } from '../../src/compute/workerPool.js';
import {
  compareFormats,
  type CompareOptions,
  type CompareRequest,
  type ComparisonRunners,
} from '../../src/jobs/comparison/compareFormats.js';
import type { PerplexitySettings } from '../../src/jobs/perplexity/measurement.js';
import { measureFormats } from '../../src/jobs/perplexity/node/measureFormats.js';
import { measureOutputs } from '../../src/jobs/perplexity/node/measureOutputs.js';
import {
  measurePerplexity,
  type PerplexityRequest,
} from '../../src/jobs/perplexity/perplexityReport.js';
import { measureWeights } from '../../src/jobs/comparison/compareWeights.js';
import {
  recommend,
  type RecommendationOptions,
  type RecommendationRequest,
} from '../../src/jobs/recommendation/recommend.js';
import { measureSensitivity } from '../../src/jobs/sensitivity/node/measureSensitivity.js';
import type { RecommendationReport } from '../../src/reports/recommendation.js';
import type { ComparisonReport, PerplexityReport } from '../../src/reports/reports.js';
import type { CallOptions } from '../../src/rpc/rpc.js';

/** Both halves of a comparison on one pool, as at the command line. */
export function runnersOn(pool: WorkerPool): ComparisonRunners {
  return {
    withPool: (job) => job(pool),
    measurePerplexity: (model, request, options) => measureFormats(pool, model, request, options),
    measureOutputs: (model, request, options) => measureOutputs(pool, model, request, options),
  };
}

/** Compares formats on one pool. */
export function compareOn(
  pool: WorkerPool,
  model: OpenedModel,
  request: CompareRequest,
  options?: CompareOptions,
): Promise<ComparisonReport> {
  return compareFormats(runnersOn(pool), model, request, options);
}

/** Measures perplexities on one pool. */
export function perplexityOn(
  pool: WorkerPool,
  model: OpenedModel,
  {
    formats,
    mixes,
    tensors,
    tensorGlobs,
    scaleDtype,
    ...settings
  }: Omit<PerplexityRequest, 'settings'> & PerplexitySettings,
  options?: CallOptions,
): Promise<PerplexityReport> {
  const request = { formats, mixes, tensors, tensorGlobs, scaleDtype, settings };
  return measurePerplexity(model, request, (measurement) =>
    measureFormats(pool, model, measurement, options),
  );
}

/** Recommends formats on one pool. */
export function recommendOn(
  pool: WorkerPool,
  model: OpenedModel,
  request: RecommendationRequest,
  options?: RecommendationOptions,
): Promise<RecommendationReport> {
  return recommend(
    {
      measureWeights: (...call) => measureWeights(pool, ...call),
      measureSensitivity: (...call) => measureSensitivity(pool, ...call),
      measurePerplexity: (...call) => measureFormats(pool, ...call),
    },
    model,
    request,
    options,
  );
}
