import type { AppliedMethod, ImportanceOf } from '../../methods/types.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { INPUT_SITES, linearsAt } from '../forward/block.js';
import { WeightStore } from '../evaluation/weightStore.js';
import { ExpertParts, expertMapsAt } from './expertParts.js';
import { EXPERT_SITES } from './expertSites.js';
import type { CalibratedPart, CalibrationRequest } from './types.js';
import { SiteWeights } from './siteWeights.js';
import { Workspace } from './workspace.js';

/**
 * Quantizes a model's linear weights by a method that needs nothing but the weights, or mean squares of inputs
 * besides.
 * @returns what became of each site, in their order
 * @throws an AbortError when cancelled
 */
export async function quantizeAlone(
  request: CalibrationRequest,
  { method, options: chosen }: AppliedMethod,
  options: CallOptions,
): Promise<readonly CalibratedPart[]> {
  const { pool, model, tensors, scaleDtype, parts } = request;
  const { plan, opened } = model;
  const { signal, onProgress } = options;
  const step = method.quantize;
  if (step?.needs !== 'nothing' && step?.needs !== 'importance') {
    throw new Error(`${method.label} needs a calibration text`);
  }
  const workspace = new Workspace(pool, plan, 0, 'apart');
  const weights = new WeightStore({ pool, model: opened, scaleDtype, signal });
  const results: CalibratedPart[] = [];
  let importance: Promise<ImportanceOf> | undefined;
  const quantize = async (block: number, site: SiteWeights, expert?: number) => {
    await site.load(weights);
    const loaded = site.siteIn(block);
    if (step.needs === 'nothing') return step.quantize(loaded, chosen, options);
    const of = await (importance ??= request.importance!());
    return step.quantize(loaded, (name) => of(name, expert), chosen, options);
  };
  const experts = new ExpertParts({ request, weights, workspace, signal });
  const total = plan.blocks.length;
  for (const [block, blockPlan] of plan.blocks.entries()) {
    throwIfCancelled(signal);
    onProgress?.({ done: block, total, message: `block ${block + 1} of ${total}` });
    for (const site of INPUT_SITES) {
      const linears = linearsAt(blockPlan, site).filter(({ weight }) => tensors.has(weight));
      if (linears.length === 0) continue;
      const kept = await parts.get(block, site);
      if (kept) {
        results.push(kept);
        continue;
      }
      const ofSite = new SiteWeights(request, linears, workspace.of(site, linears, 0));
      const findings = await quantize(block, ofSite);
      results.push(await parts.put(block, site, ofSite.tensors, findings));
    }
    for (const site of EXPERT_SITES) {
      const maps = expertMapsAt(blockPlan, site);
      results.push(
        ...(await experts.make(block, maps, async ({ expert }, ofExpert) => ({
          findings: await quantize(block, ofExpert, expert),
        }))),
      );
    }
  }
  return results;
}
