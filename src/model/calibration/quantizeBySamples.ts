import type { MemoryRegion } from '../../kernels/workspace.js';
import {
  SAMPLES_OPTION,
  type AppliedMethod,
  type QuantizedSite,
  type QuantizeWithSamples,
} from '../../methods/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { INPUT_SITES, linearsAt, type InputSite } from '../forward/block.js';
import { CalibrationWalk, type VisitedBlock } from './calibrationWalk.js';
import { ExpertParts, noteUnrouted } from './expertParts.js';
import { EXPERT_SITES } from './expertSites.js';
import type { ObservedSite } from './observedSite.js';
import { sampleInputs } from './sampleInputs.js';
import { gatherStatistics } from './siteStatistics.js';
import { SiteWeights } from './siteWeights.js';
import type { CalibratedPart, CalibrationRequest } from './types.js';
import type { SitePlaces } from './workspace.js';

/**
 * Quantizes a model's linear weights site by site, and chooses how their inputs are rounded, by sampled rows of what
 * each site sees in the unquantized model.
 * @returns what became of each site, in their order
 * @throws an AbortError when cancelled
 */
export async function quantizeBySamples(
  request: CalibrationRequest,
  applied: AppliedMethod,
  options: CallOptions,
): Promise<readonly CalibratedPart[]> {
  const walk = new CalibrationWalk(request, options);
  const quantizer = new SampleQuantizer(walk, applied);
  await walk.run((block) => quantizer.visit(block));
  return quantizer.parts;
}

class SampleQuantizer {
  readonly parts: CalibratedPart[] = [];
  private readonly step: QuantizeWithSamples;
  private readonly sampledRows: number;
  private readonly experts: ExpertParts;
  /** Of samples, and what the step needs beside them. */
  private memory?: MemoryRegion;

  constructor(
    private readonly walk: CalibrationWalk,
    { method, options }: AppliedMethod,
  ) {
    if (method.quantize?.needs !== 'samples') throw new Error(`${method.label} samples no inputs`);
    this.step = method.quantize;
    const { request, weights, workspace } = walk;
    const { signal } = walk.options;
    this.experts = new ExpertParts({ request, weights, workspace, signal });
    this.sampledRows = Number(options[SAMPLES_OPTION]);
  }

  async visit(block: VisitedBlock): Promise<void> {
    const { walk } = this;
    const { parts, tensors } = walk.request;
    const before = (name: string) => walk.request.base.get(name);
    await walk.loadVectors(block, before);
    for (const site of INPUT_SITES) {
      const linears = linearsAt(block.plan, site);
      if (linears.length === 0) continue;
      await walk.pack(block, linears, before);
      if (linears.some(({ weight }) => tensors.has(weight))) {
        this.parts.push((await parts.get(block.index, site)) ?? (await this.partOf(block, site)));
      }
      if (site === 'feedForward') await this.quantizeExperts(block);
      await walk.pass(site, block, before);
    }
  }

  private async partOf(block: VisitedBlock, site: InputSite): Promise<CalibratedPart> {
    const { request, workspace } = this.walk;
    const observed = this.walk.siteOf(block, site);
    const linears = observed.linears.filter(({ weight }) => request.tensors.has(weight));
    const places = workspace.of(site, linears, observed.rows);
    const weights = new SiteWeights(request, linears, places);
    const { findings, roundings } = await this.quantize(block, observed, weights, places);
    return request.parts.put(block.index, site, weights.tensors, findings, { roundings });
  }

  private async quantizeExperts(block: VisitedBlock): Promise<void> {
    const { walk } = this;
    const before = (name: string) => walk.request.base.get(name);
    for (const name of EXPERT_SITES) {
      const sites = await walk.expertSitesOf(block, name, before);
      const parts = await this.experts.make(block.index, sites, async (site, weights, places) => {
        if (site.rows > 0) return this.quantize(block, site, weights, places);
        await weights.loadRounded(walk.weights);
        return { findings: [noteUnrouted(block.index, site.expert, places)] };
      });
      this.parts.push(...parts);
    }
  }

  /** Brings a site's weights in, quantizes them and chooses how their inputs are rounded. */
  private async quantize(
    block: VisitedBlock,
    site: ObservedSite,
    weights: SiteWeights,
    places: SitePlaces,
  ): Promise<QuantizedSite> {
    const { walk } = this;
    const { pool, activations } = walk.request;
    const { maxAbs } = await gatherStatistics(walk, site, places.statistics);
    const { rows, inputs, values } = await sampleInputs(walk, site, this.sampledRows);
    await weights.load(walk.weights);
    const most = Math.max(...places.linears.map(({ outputs }) => outputs));
    const at = this.reserve(values.byteLength + this.step.roomBytes(most, rows, inputs));
    pool.write(at, values);
    const samples = {
      matrix: { at, stride: inputs },
      room: at + values.byteLength,
      ...{ rows, maxAbs },
    };
    return this.step.quantize(weights.siteIn(block.index), samples, activations, walk.options);
  }

  private reserve(bytes: number): number {
    if ((this.memory?.bytes ?? 0) < bytes) this.memory = this.walk.request.pool.reserve(bytes);
    return this.memory!.start;
  }
}
