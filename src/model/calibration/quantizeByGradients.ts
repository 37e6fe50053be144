import type { AppliedMethod } from '../../methods/types.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { findGradients } from '../backward/findGradients.js';
import { WeightStore } from '../evaluation/weightStore.js';
import { INPUT_SITES, linearsAt } from '../forward/block.js';
import { SiteWeights } from './siteWeights.js';
import type { CalibratedPart, CalibrationRequest } from './types.js';
import { Workspace } from './workspace.js';

/**
 * Quantizes a model's linear weights by the gradients of the loss on calibration windows, all of them found before the
 * first weight is rounded.
 * @returns what became of each site, in their order
 * @throws where the model's gradients cannot be had; an AbortError when cancelled
 */
export async function quantizeByGradients(
  request: CalibrationRequest,
  { method, options: chosen }: AppliedMethod,
  options: CallOptions,
): Promise<readonly CalibratedPart[]> {
  const { pool, model, tensors, scaleDtype, parts } = request;
  const { plan, opened } = model;
  const { signal } = options;
  const step = method.quantize;
  if (step?.needs !== 'gradients') throw new Error(`${method.label} sees no gradients`);
  const workspace = new Workspace(pool, plan, 0, 'apart');
  const weights = new WeightStore({ pool, model: opened, scaleDtype, signal });
  const results: CalibratedPart[] = [];
  let found: Promise<ReadonlyMap<string, Float32Array>> | undefined;
  const gradients = async () => (await findGradients(request, options)).ofWeights;
  for (const [block, blockPlan] of plan.blocks.entries()) {
    throwIfCancelled(signal);
    for (const site of INPUT_SITES) {
      const linears = linearsAt(blockPlan, site).filter(({ weight }) => tensors.has(weight));
      if (linears.length === 0) continue;
      const kept = await parts.get(block, site);
      if (kept) {
        results.push(kept);
        continue;
      }
      const ofWeights = await (found ??= gradients());
      const ofSite = new SiteWeights(request, linears, workspace.of(site, linears, 0));
      await ofSite.load(weights);
      const loaded = ofSite.siteIn(block);
      const gradientOf = (name: string) => ofWeights.get(name)!;
      const findings = await step.quantize(loaded, gradientOf, chosen, options);
      results.push(await parts.put(block, site, ofSite.tensors, findings));
    }
  }
  return results;
}
