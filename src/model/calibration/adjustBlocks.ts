import { describeScaling } from '../../methods/scaling.js';
import { chosenSteps } from '../../methods/steps.js';
import type { AppliedMethod, ScalingGroup, StepFinding } from '../../methods/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { LinearPlan } from '../config/plan.js';
import { INPUT_SITES, linearsAt, type InputSite } from '../forward/block.js';
import { CalibrationWalk, type VisitedBlock } from './calibrationWalk.js';
import { Divisors, scaleRows } from './divisors.js';
import { ExpertClipping } from './expertClipping.js';
import { foldOf, isQueryOrKey } from './folding.js';
import { SampleGrams } from './sampleGrams.js';
import { sampleInputs, type Sample } from './sampleInputs.js';
import { SiteWeights } from './siteWeights.js';
import { gatherStatistics } from './siteStatistics.js';
import { SiteLoss } from './siteLoss.js';
import type {
  CalibratedPart,
  CalibratedTensor,
  CalibrationRequest,
  LinearFactors,
} from './types.js';
import { largestMagnitudes, meanRelative, spans } from './weightRanges.js';

/**
 * Scales and clips a model's linear weights block by block, each by what it sees in the unquantized model.
 * Factors are folded into what stands before, so that the model computes the same until its weights are
 * rounded.
 * @returns what became of each site, in their order; weights are not rounded yet
 * @throws an AbortError when cancelled
 */
export async function adjustBlocks(
  request: CalibrationRequest,
  applied: AppliedMethod,
  options: CallOptions,
): Promise<readonly CalibratedPart[]> {
  const walk = new CalibrationWalk(request, options);
  const adjuster = new BlockAdjuster(walk, applied);
  await walk.run((block) => adjuster.visit(block));
  return adjuster.parts;
}

/** What was chosen for a site. */
interface SiteChoice {
  readonly site: InputSite;
  readonly linears: readonly LinearPlan[];
  readonly factors?: Float32Array;
  readonly sample?: Sample;
}

class BlockAdjuster {
  readonly parts: CalibratedPart[] = [];
  private readonly loss: SiteLoss;
  private readonly steps: ReturnType<typeof chosenSteps>;
  private readonly grams: SampleGrams;
  private readonly experts: ExpertClipping;

  constructor(
    private readonly walk: CalibrationWalk,
    private readonly applied: AppliedMethod,
  ) {
    this.loss = new SiteLoss(walk);
    this.steps = chosenSteps(applied.method, applied.options);
    this.grams = new SampleGrams(walk, this.steps.clip?.sampledRows ?? 0);
    this.experts = new ExpertClipping(walk, applied, this.grams);
  }

  async visit(block: VisitedBlock): Promise<void> {
    const { walk } = this;
    const before = (name: string) => walk.request.base.get(name);
    const kept = await walk.request.parts.get(block.index, 'adjusted');
    const keptExperts = await this.experts.kept(block);
    if (kept && keptExperts) {
      this.parts.push(...keptExperts, kept);
      return walk.passBlock(block, before);
    }
    this.loss.forget();
    await walk.loadVectors(block, before);
    const findings: StepFinding[] = [];
    const choices: SiteChoice[] = [];
    for (const site of INPUT_SITES) {
      const linears = linearsAt(block.plan, site);
      if (linears.length === 0) continue;
      // What a site is judged by comes after it.
      await walk.pack(block, judgedWith(block, site), before);
      choices.push(await this.choose(block, site, linears, findings));
      if (site === 'feedForward') {
        const { parts, unscaled } = await this.experts.adjust(block);
        this.parts.push(...parts);
        findings.push(...unscaled);
      }
      await walk.pass(site, block, before);
    }
    const divisors = new Divisors(block.plan, choices);
    const tensors = await this.apply(block, choices, divisors, findings);
    const factors = factorsOf(choices, divisors);
    const { parts } = walk.request;
    this.parts.push(await parts.put(block.index, 'adjusted', tensors, findings, { factors }));
  }

  /** Factors for a site's inputs, and what clipping will need of these. */
  private async choose(
    block: VisitedBlock,
    site: InputSite,
    linears: readonly LinearPlan[],
    findings: StepFinding[],
  ): Promise<SiteChoice> {
    const { walk, applied, steps } = this;
    const { request, options } = walk;
    const chosen = linears.filter(({ weight }) => request.tensors.has(weight));
    if (chosen.length === 0) return { site, linears };
    let factors: Float32Array | undefined;
    if (steps.scale?.sites.includes(site)) {
      const fold = foldOf(block.plan, site);
      if (fold.kind === 'none') {
        findings.push({
          block: block.index,
          tensors: chosen.map(({ weight }) => weight),
          values: {},
          notes: [`not scaled: ${fold.reason}`],
        });
      } else {
        const group = await this.groupOf(block, site, chosen);
        const choice = await steps.scale.choose(group, applied.options, options);
        if (choice) {
          factors = choice.factors;
          findings.push({ ...choice.finding, scaling: await describeScaling(group, factors) });
        }
      }
    }
    const sample =
      steps.clip && (await sampleInputs(walk, walk.siteOf(block, site), steps.clip.sampledRows));
    return { site, linears, factors, sample };
  }

  private async groupOf(
    block: VisitedBlock,
    site: InputSite,
    linears: readonly LinearPlan[],
  ): Promise<ScalingGroup> {
    const { walk } = this;
    const [{ inputs }] = linears;
    const places = walk.workspace.of(site, linears, walk.stages.rows);
    const statistics = await gatherStatistics(walk, walk.siteOf(block, site), places.statistics);
    const loaded = new SiteWeights(walk.request, linears, places);
    await loaded.load(walk.weights);
    const weights = loaded.values;
    const chosen = loaded.siteIn(block.index);
    return {
      ...chosen,
      site,
      statistics,
      loss: (judgedBy, factors, atMost) =>
        judgedBy === 'module'
          ? this.loss.ofModule(block, site, factors, atMost)
          : this.loss.ofLinears(block, site, statistics.maxAbs, factors, atMost),
      weightMaxAbs: () => Promise.resolve(largestMagnitudes(weights, inputs)),
      weightSpans: () => Promise.resolve(spans(weights, inputs)),
      weightMeanRelative: () => Promise.resolve(meanRelative(weights, inputs, chosen.format)),
    };
  }

  /** Tensors of a block with factors folded in and clipped. */
  private async apply(
    block: VisitedBlock,
    choices: readonly SiteChoice[],
    divisors: Divisors,
    findings: StepFinding[],
  ): Promise<CalibratedTensor[]> {
    const tensors = await this.divideVectors(divisors);
    for (const choice of choices) {
      const changed = choice.linears.filter(
        (linear) => choice.factors ?? choice.sample ?? divisors.ofRows.has(linear),
      );
      if (changed.length === 0) continue;
      tensors.push(...(await this.changeWeights(block, choice, changed, divisors, findings)));
    }
    return tensors;
  }

  private async changeWeights(
    block: VisitedBlock,
    { site: name, factors, sample }: SiteChoice,
    linears: readonly LinearPlan[],
    divisors: Divisors,
    findings: StepFinding[],
  ): Promise<CalibratedTensor[]> {
    const { walk, applied, steps } = this;
    const { tensors } = walk.request;
    const [{ inputs }] = linears;
    const places = walk.workspace.of(name, linears, sample?.rows ?? 0);
    const weights = new SiteWeights(walk.request, linears, places);
    await weights.load(walk.weights);
    for (const [index, values] of weights.values.entries()) {
      scaleRows(values, inputs, factors, divisors.ofRows.get(linears[index]));
    }
    const clipped = places.linears.filter(
      ({ name }, index) =>
        tensors.has(name) &&
        steps.clip?.clips({ isQueryOrKey: isQueryOrKey(block.plan, linears[index]) }),
    );
    if (steps.clip && sample && clipped.length > 0) {
      await this.grams.sum(sample, factors, { at: places.gram.at, order: inputs });
      const site = weights.siteIn(block.index, clipped);
      findings.push(...(await steps.clip.clip(site, places.gram, applied.options, walk.options)));
    }
    // Copies: the next site takes the same places.
    return weights.tensors.map((tensor) => ({ ...tensor, values: tensor.values.slice() }));
  }

  /** Norms and biases, divided. */
  private async divideVectors(divisors: Divisors): Promise<CalibratedTensor[]> {
    const tensors: CalibratedTensor[] = [];
    for (const { norm, factors } of divisors.ofNorms) {
      const weight = await this.vector(norm.weight!, factors.length);
      // As in f32 code: the offset is part of the weight.
      const { weightOffset } = norm;
      const divided = weight.map(
        (value, i) => Math.fround((value + weightOffset) / factors[i]) - weightOffset,
      );
      tensors.push({ name: norm.weight!, shape: [factors.length], values: divided });
      if (norm.bias === undefined) continue;
      const bias = await this.vector(norm.bias, factors.length);
      const values = bias.map((value, i) => value / factors[i]);
      tensors.push({ name: norm.bias, shape: [factors.length], values });
    }
    for (const [{ bias, outputs }, factors] of divisors.ofRows) {
      if (bias === undefined) continue;
      const values = (await this.vector(bias, outputs)).map((value, row) => value / factors[row]);
      tensors.push({ name: bias, shape: [outputs], values });
    }
    return tensors;
  }

  private async vector(name: string, elements: number): Promise<Float32Array> {
    const { pool } = this.walk.request;
    const at = this.walk.workspace.scratch;
    await this.walk.weights.loadVectors([{ name, at, change: this.walk.request.base.get(name) }]);
    return new Float32Array(pool.memory.buffer, at, elements).slice();
  }
}

/** What each linear map's weights are scaled by. */
function factorsOf(
  choices: readonly SiteChoice[],
  { ofRows }: Divisors,
): ReadonlyMap<string, LinearFactors> {
  const factors = new Map<string, LinearFactors>();
  for (const { linears, factors: inputs } of choices) {
    for (const linear of linears) {
      const outputs = ofRows.get(linear);
      if (inputs ?? outputs) factors.set(linear.weight, { inputs, outputs });
    }
  }
  return factors;
}

/** Linear maps that must be in memory while a site's factors are chosen. */
function judgedWith({ plan }: VisitedBlock, site: InputSite): readonly LinearPlan[] {
  const next =
    site === 'attention' ? 'attentionOutput' : site === 'feedForward' ? 'down' : undefined;
  return [...linearsAt(plan, site), ...(next ? linearsAt(plan, next) : [])];
}
