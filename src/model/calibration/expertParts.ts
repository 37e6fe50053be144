import { getMatrixShape } from '../../checkpoint/matrixShape.js';
import type { FixedRounding } from '../../formats/activations.js';
import type { QuantizedSite, StepFinding } from '../../methods/types.js';
import { throwIfCancelled } from '../../rpc/rpc.js';
import { expertsOf, type BlockPlan, type LinearPlan } from '../config/plan.js';
import type { WeightStore } from '../evaluation/weightStore.js';
import { EXPERT_SITES, type ExpertSiteName } from './expertSites.js';
import { SiteWeights } from './siteWeights.js';
import type { CalibratedPart, CalibratedTensor, CalibrationRequest } from './types.js';
import type { SitePlaces, Workspace } from './workspace.js';

/** Linear maps of one expert that take the same inputs. */
export interface ExpertMaps {
  readonly name: string;
  readonly expert: number;
  readonly site: ExpertSiteName;
  readonly linears: readonly LinearPlan[];
}

/** The linear maps of each expert of a block at a site; none where it has no experts. */
export function expertMapsAt(block: BlockPlan, site: ExpertSiteName): readonly ExpertMaps[] {
  return expertsOf(block).map(({ projections, down }, expert) => ({
    name: `expert-${expert}-${site}`,
    expert,
    site,
    linears: site === 'down' ? [down] : projections,
  }));
}

/** Some experts' maps, whose weights are kept together. */
interface Group<Maps> {
  readonly name: string;
  readonly members: readonly Maps[];
}

/** What has been chosen for an expert beside its weights. */
export type ChangedWeights = Pick<QuantizedSite, 'findings'> & Partial<QuantizedSite>;

/** A change of an expert's weights, which it brings into memory. */
type ChangeWeights<Maps> = (
  maps: Maps,
  weights: SiteWeights,
  places: SitePlaces,
) => Promise<ChangedWeights>;

export interface ExpertPartsSetup {
  readonly request: CalibrationRequest;
  readonly weights: WeightStore;
  readonly workspace: Workspace;
  readonly signal?: AbortSignal;
}

/**
 * Parts of a block that are made of its experts' weights: one for each expert and site, or where experts are stored
 * as one tensor, one for all of them, which is in memory as f32 meanwhile.
 */
export class ExpertParts {
  constructor(private readonly setup: ExpertPartsSetup) {}

  /**
   * Changes the weights of experts, one expert after the other; parts that are kept stay as they are.
   * @param sites of one block, at one site
   */
  async make<Maps extends ExpertMaps>(
    block: number,
    sites: readonly Maps[],
    change: ChangeWeights<Maps>,
  ): Promise<readonly CalibratedPart[]> {
    const { parts } = this.setup.request;
    const made: CalibratedPart[] = [];
    for (const group of this.groupsOf(sites)) {
      throwIfCancelled(this.setup.signal);
      made.push(
        (await parts.get(block, group.name)) ?? (await this.makePart(block, group, change)),
      );
    }
    return made;
  }

  /** Parts of a block's experts that are all there; undefined where one is missing. */
  async kept(block: number, plan: BlockPlan): Promise<readonly CalibratedPart[] | undefined> {
    const kept: CalibratedPart[] = [];
    for (const site of EXPERT_SITES) {
      for (const { name } of this.groupsOf(expertMapsAt(plan, site))) {
        const part = await this.setup.request.parts.get(block, name);
        if (!part) return undefined;
        kept.push(part);
      }
    }
    return kept;
  }

  private chosen({ linears }: ExpertMaps): readonly LinearPlan[] {
    return linears.filter(({ weight }) => this.setup.request.tensors.has(weight));
  }

  private groupsOf<Maps extends ExpertMaps>(sites: readonly Maps[]): readonly Group<Maps>[] {
    const groups = new Map<string, Maps[]>();
    for (const maps of sites) {
      const chosen = this.chosen(maps);
      if (chosen.length === 0) continue;
      const isShared = chosen.some(({ firstRow }) => firstRow !== undefined);
      const name = isShared ? `experts-${maps.site}` : maps.name;
      groups.set(name, [...(groups.get(name) ?? []), maps]);
    }
    return [...groups].map(([name, members]) => ({ name, members }));
  }

  private async makePart<Maps extends ExpertMaps>(
    block: number,
    { name, members }: Group<Maps>,
    change: ChangeWeights<Maps>,
  ): Promise<CalibratedPart> {
    const { request, workspace, signal } = this.setup;
    const tensors = new Map<string, CalibratedTensor>();
    const findings: StepFinding[] = [];
    const roundings = new Map<string, FixedRounding>();
    for (const maps of members) {
      throwIfCancelled(signal);
      const linears = this.chosen(maps);
      const places = workspace.of(maps.site, linears, 0);
      const weights = new SiteWeights(request, linears, places);
      const changed = await change(maps, weights, places);
      findings.push(...changed.findings);
      // Experts that share a tensor, and so its name, have no roundings of their own.
      if (linears.every(({ firstRow }) => firstRow === undefined)) {
        for (const [tensor, rounding] of changed.roundings ?? []) roundings.set(tensor, rounding);
      }
      for (const [index, tensor] of weights.tensors.entries()) {
        const { firstRow } = linears[index];
        if (firstRow === undefined) tensors.set(tensor.name, tensor);
        else this.insert(tensors, tensor, firstRow);
      }
    }
    return request.parts.put(block, name, [...tensors.values()], findings, { roundings });
  }

  /** Puts an expert's rows into the tensor that holds those of all. */
  private insert(
    tensors: Map<string, CalibratedTensor>,
    { name, shape: [, inputs], values }: CalibratedTensor,
    firstRow: number,
  ): void {
    let whole = tensors.get(name);
    if (!whole) {
      const stored = this.setup.weights.tensor(name);
      const { rows, columns } = getMatrixShape(stored);
      whole = { name, shape: stored.shape, values: new Float32Array(rows * columns) };
      tensors.set(name, whole);
    }
    whole.values.set(values, firstRow * inputs);
  }
}

/** What to know of an expert that no row is routed to, whose weights are not chosen by a text therefore. */
export function noteUnrouted(block: number, expert: number, places: SitePlaces): StepFinding {
  return unrouted(block, expert, places, 'rounded to nearest');
}

/** The same where weights are clipped. */
export function noteUnclipped(block: number, expert: number, places: SitePlaces): StepFinding {
  return unrouted(block, expert, places, 'not clipped');
}

function unrouted(
  block: number,
  expert: number,
  { linears }: SitePlaces,
  what: string,
): StepFinding {
  return {
    block,
    tensors: linears.map(({ name }) => name),
    values: {},
    notes: [`expert ${expert} is ${what}: no token of the calibration text goes to it`],
  };
}
