import type { SquareMatrix } from '../../kernels/calibrationKernels.js';
import { sumGram } from '../../methods/gram/gram.js';
import type { AppliedMethod, QuantizeWithGram } from '../../methods/types.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { LinearPlan } from '../config/plan.js';
import type { TensorChange } from '../evaluation/types.js';
import { INPUT_SITES, linearsAt, type InputSite } from '../forward/block.js';
import { CalibrationWalk, type VisitedBlock } from './calibrationWalk.js';
import type { CalibratedPart, CalibrationRequest } from './types.js';
import { SiteWeights } from './siteWeights.js';

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

  constructor(
    private readonly walk: CalibrationWalk,
    private readonly applied: AppliedMethod,
  ) {
    const { method, options } = applied;
    if (method.quantize?.needs !== 'gram') throw new Error(`${method.label} sees no inputs`);
    this.step = method.quantize;
    this.perBlock = options.order === 'per-block';
  }

  async visit(block: VisitedBlock): Promise<void> {
    const { walk, perBlock } = this;
    const changes = new Map<string, TensorChange>();
    const before = (name: string) => walk.request.base.get(name);
    const changeOf = (name: string) => changes.get(name) ?? walk.request.base.get(name);
    await walk.loadVectors(block, before);
    if (perBlock) walk.stages.keep();
    for (const site of INPUT_SITES) {
      const linears = linearsAt(block.plan, site);
      if (linears.length === 0) continue;
      const part = await this.partOf(block, site, linears);
      for (const [name, change] of part?.changes ?? []) changes.set(name, change);
      const passing = perBlock ? before : changeOf;
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
    block: VisitedBlock,
    site: InputSite,
    linears: readonly LinearPlan[],
  ): Promise<CalibratedPart | undefined> {
    const { request } = this.walk;
    const chosen = linears.filter(({ weight }) => request.tensors.has(weight));
    if (chosen.length === 0) return undefined;
    const part =
      (await request.parts.get(block.index, site)) ?? (await this.quantize(block, site, chosen));
    this.parts.push(part);
    return part;
  }

  private async quantize(
    block: VisitedBlock,
    site: InputSite,
    linears: readonly LinearPlan[],
  ): Promise<CalibratedPart> {
    const { walk, applied } = this;
    const { request, options } = walk;
    const [{ inputs }] = linears;
    const { rows } = walk.stages;
    const places = walk.workspace.of(site, linears, rows);
    await this.gather(block, site, { at: places.gram.at, order: inputs });
    const weights = new SiteWeights(request, linears, places);
    await weights.load(walk.weights);
    const chosen = weights.siteIn(block.index);
    const found = await this.step.quantize(chosen, places.gram, applied.options, options);
    const few = noteFewRows(rows, inputs);
    const tensors = linears.map(({ weight }) => weight);
    const findings = few
      ? [...found, { block: block.index, tensors, values: {}, notes: [few] }]
      : found;
    return request.parts.put(block.index, site, weights.tensors, findings);
  }

  private async gather(block: VisitedBlock, site: InputSite, gram: SquareMatrix): Promise<void> {
    const { stages, request, options } = this.walk;
    await sumGram(
      request.pool,
      gram,
      (add) => stages.observe(site, block.placed, ({ matrix, rows }) => add(matrix, rows)),
      options,
    );
  }
}

/** What to know of inputs that were seen in fewer rows than there are of them. */
function noteFewRows(rows: number, inputs: number): string | undefined {
  if (rows >= inputs) return undefined;
  return `Only ${rows} tokens of calibration text for ${inputs} inputs: damping alone decides the rest, and the weights may serve that text rather than others.`;
}
