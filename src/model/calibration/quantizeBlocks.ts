import { sumGram } from '../../methods/gram/gram.js';
import type { AppliedMethod, QuantizeWithGram, StepFinding } from '../../methods/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { TensorChange } from '../evaluation/types.js';
import { INPUT_SITES } from '../forward/block.js';
import { CalibrationWalk, type VisitedBlock } from './calibrationWalk.js';
import { ExpertParts, noteUnrouted } from './expertParts.js';
import { EXPERT_SITES, type ExpertSite } from './expertSites.js';
import type { ObservedSite } from './observedSite.js';
import { SiteWeights } from './siteWeights.js';
import type { CalibratedPart, CalibrationRequest } from './types.js';
import type { SitePlaces } from './workspace.js';

/**
 * Quantizes a model's linear weights block by block, each by what it sees of calibration windows that have
 * passed the quantized blocks before it (GPTQ's order of work).
 *
 * Option `order` of the method: `sequential` chooses the weights of a site once those before it in the same
 * block are quantized; `per-block` by what the sites see in the block as it was.
 * @returns what became of each site, in their order
 * @throws where inputs are not finite, naming the block; an AbortError when cancelled
 */
export async function quantizeBlocks(
  request: CalibrationRequest,
  applied: AppliedMethod,
  options: CallOptions,
): Promise<readonly CalibratedPart[]> {
  const walk = new CalibrationWalk(request, options, 'shared');
  const quantizer = new BlockQuantizer(walk, applied);
  await walk.run((block) => quantizer.visit(block));
  return quantizer.parts;
}

class BlockQuantizer {
  readonly parts: CalibratedPart[] = [];
  private readonly perBlock: boolean;
  private readonly step: QuantizeWithGram;
  private readonly experts: ExpertParts;

  constructor(
    private readonly walk: CalibrationWalk,
    private readonly applied: AppliedMethod,
  ) {
    const { method, options } = applied;
    if (method.quantize?.needs !== 'gram') throw new Error(`${method.label} sees no inputs`);
    this.step = method.quantize;
    const { request, weights, workspace } = walk;
    const { signal } = walk.options;
    this.experts = new ExpertParts({ request, weights, workspace, signal });
    this.perBlock = options.order === 'per-block';
  }

  async visit(block: VisitedBlock): Promise<void> {
    const { walk, perBlock } = this;
    const changes = new Map<string, TensorChange>();
    const before = (name: string) => walk.request.base.get(name);
    const changeOf = (name: string) => changes.get(name) ?? walk.request.base.get(name);
    await walk.loadVectors(block, before);
    if (perBlock) walk.stages.keep();
    const passing = perBlock ? before : changeOf;
    const take = (part: CalibratedPart) => {
      this.parts.push(part);
      for (const [name, change] of part.changes) changes.set(name, change);
    };
    for (const site of INPUT_SITES) {
      const observed = walk.siteOf(block, site);
      const { linears } = observed;
      if (linears.length === 0) continue;
      const part = await this.partOf(block, observed);
      if (part) take(part);
      if (site === 'feedForward') {
        for (const expertSite of EXPERT_SITES) {
          const sites = await walk.expertSitesOf(block, expertSite, passing);
          (await this.quantizeExperts(block, sites)).forEach(take);
        }
      }
      await walk.pack(block, linears, passing);
      await walk.pass(site, block, passing);
    }
    if (perBlock) {
      walk.stages.restore();
      await walk.passBlock(block, changeOf);
    }
  }

  /** A site's weights, quantized now or before; undefined where none of them is to be. */
  private async partOf(
    { index }: VisitedBlock,
    site: ObservedSite,
  ): Promise<CalibratedPart | undefined> {
    const { request, workspace } = this.walk;
    const linears = site.linears.filter(({ weight }) => request.tensors.has(weight));
    if (linears.length === 0) return undefined;
    const kept = await request.parts.get(index, site.name);
    if (kept) return kept;
    const places = workspace.of(site.site, linears, site.rows);
    const weights = new SiteWeights(request, linears, places);
    const findings = await this.quantize(index, site, weights, places);
    return request.parts.put(index, site.name, weights.tensors, findings);
  }

  private quantizeExperts(
    { index }: VisitedBlock,
    sites: readonly ExpertSite[],
  ): Promise<readonly CalibratedPart[]> {
    return this.experts.make(index, sites, async (site, weights, places) => {
      if (site.rows > 0) return { findings: await this.quantize(index, site, weights, places) };
      await weights.loadRounded(this.walk.weights);
      return { findings: [noteUnrouted(index, site.expert, places)] };
    });
  }

  /** Brings a site's weights in and quantizes them. */
  private async quantize(
    block: number,
    site: ObservedSite,
    weights: SiteWeights,
    { gram: { at }, linears }: SitePlaces,
  ): Promise<readonly StepFinding[]> {
    const { walk, applied } = this;
    const { pool } = walk.request;
    const { rows } = site;
    const [{ inputs }] = site.linears;
    await sumGram(
      pool,
      { at, order: inputs },
      (add) => site.observe(({ matrix, rows: count }) => add(matrix, count)),
      walk.options,
    );
    await weights.load(walk.weights);
    const chosen = weights.siteIn(block);
    const found = await this.step.quantize(chosen, { at, rows }, applied.options, walk.options);
    const few = noteFewRows(rows, inputs);
    const tensors = linears.map(({ name }) => name);
    return few ? [...found, { block, tensors, values: {}, notes: [few] }] : found;
  }
}

/** What to know of inputs that were seen in fewer rows than there are of them. */
function noteFewRows(rows: number, inputs: number): string | undefined {
  if (rows >= inputs) return undefined;
  return `Only ${rows} tokens of calibration text for ${inputs} inputs: damping alone decides the rest, and the weights may serve that text rather than others.`;
}
