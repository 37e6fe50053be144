import { chosenSteps } from '../../methods/steps.js';
import type { AppliedMethod, StepFinding } from '../../methods/types.js';
import type { CalibrationWalk, VisitedBlock } from './calibrationWalk.js';
import { ExpertParts, noteUnclipped } from './expertParts.js';
import { EXPERT_SITES, type ExpertSite } from './expertSites.js';
import { foldOf } from './folding.js';
import type { SampleGrams } from './sampleGrams.js';
import { sampleInputs } from './sampleInputs.js';
import type { CalibratedPart } from './types.js';

/** Clips experts' weights, each by the rows that are routed to it in the unquantized model; none is scaled. */
export class ExpertClipping {
  private readonly experts: ExpertParts;
  private readonly steps: ReturnType<typeof chosenSteps>;

  constructor(
    private readonly walk: CalibrationWalk,
    private readonly applied: AppliedMethod,
    private readonly grams: SampleGrams,
  ) {
    const { request, weights, workspace, options } = walk;
    this.experts = new ExpertParts({ request, weights, workspace, signal: options.signal });
    this.steps = chosenSteps(applied.method, applied.options);
  }

  /** Parts of a block's experts from before; undefined where one is missing. */
  async kept({ index, plan }: VisitedBlock): Promise<readonly CalibratedPart[] | undefined> {
    return this.clips ? this.experts.kept(index, plan) : [];
  }

  /**
   * Clips the experts of a block, between their router and their run.
   * @returns what became of them, and why they are not scaled where others are
   */
  async adjust(block: VisitedBlock): Promise<{
    readonly parts: readonly CalibratedPart[];
    readonly unscaled: readonly StepFinding[];
  }> {
    const { walk } = this;
    const { request } = walk;
    const parts: CalibratedPart[] = [];
    const unscaled: StepFinding[] = [];
    for (const name of EXPERT_SITES) {
      const sites = await walk.expertSitesOf(block, name, (tensor) => request.base.get(tensor));
      const weights = sites.flatMap(({ linears }) => linears.map(({ weight }) => weight));
      const tensors = [...new Set(weights)].filter((tensor) => request.tensors.has(tensor));
      if (tensors.length === 0) continue;
      const fold = foldOf(block.plan, name);
      if (this.steps.scale?.sites.includes(name) && fold.kind === 'none') {
        const notes = [`not scaled: ${fold.reason}`];
        unscaled.push({ block: block.index, tensors, values: {}, notes });
      }
      if (this.clips) parts.push(...(await this.clip(block.index, sites)));
    }
    return { parts, unscaled };
  }

  private get clips(): boolean {
    return this.steps.clip?.clips({ isQueryOrKey: false }) ?? false;
  }

  private clip(block: number, sites: readonly ExpertSite[]): Promise<readonly CalibratedPart[]> {
    const { walk, applied } = this;
    const step = this.steps.clip!;
    return this.experts.make(block, sites, async (site, weights, places) => {
      await weights.load(walk.weights);
      if (site.rows === 0) return { findings: [noteUnclipped(block, site.expert, places)] };
      const sample = await sampleInputs(walk, site, step.sampledRows);
      const { at } = places.gram;
      await this.grams.sum(sample, undefined, { at, order: sample.inputs });
      const gram = { at, rows: sample.rows };
      const loaded = weights.siteIn(block);
      return { findings: await step.clip(loaded, gram, applied.options, walk.options) };
    });
  }
}
