import type { MemoryRegion } from '../../kernels/workspace.js';
import {
  SAMPLES_OPTION,
  type AppliedMethod,
  type QuantizeWithSamples,
} from '../../methods/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { INPUT_SITES, linearsAt, type InputSite } from '../forward/block.js';
import { CalibrationWalk, type VisitedBlock } from './calibrationWalk.js';
import { sampleInputs } from './sampleInputs.js';
import { gatherStatistics } from './siteStatistics.js';
import { SiteWeights } from './siteWeights.js';
import type { CalibratedPart, CalibrationRequest } from './types.js';

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
  /** Of samples, and what the step needs beside them. */
  private memory?: MemoryRegion;

  constructor(
    private readonly walk: CalibrationWalk,
    { method, options }: AppliedMethod,
  ) {
    if (method.quantize?.needs !== 'samples') throw new Error(`${method.label} samples no inputs`);
    this.step = method.quantize;
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
        this.parts.push((await parts.get(block.index, site)) ?? (await this.quantize(block, site)));
      }
      await walk.pass(site, block, before);
    }
  }

  private async quantize(block: VisitedBlock, site: InputSite): Promise<CalibratedPart> {
    const { walk } = this;
    const { request, options } = walk;
    const { pool, activations, tensors } = request;
    const observed = walk.siteOf(block, site);
    const linears = observed.linears.filter(({ weight }) => tensors.has(weight));
    const places = walk.workspace.of(site, linears, walk.stages.rows);
    const { maxAbs } = await gatherStatistics(walk, observed, places.statistics);
    const { rows, inputs, values } = await sampleInputs(walk, observed, this.sampledRows);
    const weights = new SiteWeights(request, linears, places);
    await weights.load(walk.weights);
    const most = Math.max(...linears.map(({ outputs }) => outputs));
    const at = this.reserve(values.byteLength + this.step.roomBytes(most, rows, inputs));
    pool.write(at, values);
    const samples = {
      matrix: { at, stride: inputs },
      room: at + values.byteLength,
      ...{ rows, maxAbs },
    };
    const ofSite = weights.siteIn(block.index);
    const { findings, roundings } = await this.step.quantize(ofSite, samples, activations, options);
    return request.parts.put(block.index, site, weights.tensors, findings, {
      roundings,
    });
  }

  private reserve(bytes: number): number {
    if ((this.memory?.bytes ?? 0) < bytes) this.memory = this.walk.request.pool.reserve(bytes);
    return this.memory!.start;
  }
}
