import { storedNameOfLinear } from '../../gguf/families.js';
import { unwrappedName } from '../../model/config/tensorNames.js';
import type { ExpertSiteName } from '../../model/calibration/expertSites.js';
import { expertsOf, type ModelPlan } from '../../model/config/plan.js';
import { INPUT_SITES, linearsAt } from '../../model/forward/block.js';

/** llama.cpp's name of the weight of a linear map of a block; undefined where it is not known. */
export function imatrixName(tensor: string): string | undefined {
  return storedNameOfLinear(unwrappedName(tensor));
}

/** llama.cpp's names of what the experts of a block share at a site. */
export function expertNames(block: number, site: ExpertSiteName): readonly string[] {
  const modules = site === 'down' ? ['ffn_down_exps'] : ['ffn_gate_exps', 'ffn_up_exps'];
  return modules.map((module) => `blk.${block}.${module}.weight`);
}

/** An expert's linear maps by their tensors, and the entries that are about them. */
export interface ExpertTarget {
  readonly names: readonly string[];
  readonly experts: number;
  readonly inputs: number;
}

/** Where the inputs of experts' linear maps stand, by the name of their weights' tensor and the expert's number. */
export function expertTargets({ blocks }: ModelPlan): ReadonlyMap<string, ExpertTarget> {
  const found = new Map<string, ExpertTarget>();
  for (const [index, block] of blocks.entries()) {
    const experts = expertsOf(block);
    for (const { projections, down } of experts) {
      for (const [site, linears] of [
        ['feedForward', projections],
        ['down', [down]],
      ] as const) {
        for (const { weight, inputs } of linears) {
          found.set(weight, { names: expertNames(index, site), experts: experts.length, inputs });
        }
      }
    }
  }
  return found;
}

/** Inputs of the linear maps of a model's blocks that take all rows, by the names of their weights. */
export function linearInputs({ blocks }: ModelPlan): ReadonlyMap<string, number> {
  return new Map(
    blocks.flatMap((block) =>
      INPUT_SITES.flatMap((site) =>
        linearsAt(block, site).map(({ weight, inputs }) => [weight, inputs] as const),
      ),
    ),
  );
}
