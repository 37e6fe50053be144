import { storedNameOfLinear } from '../../gguf/families.js';
import { unwrappedName } from '../../model/config/tensorNames.js';
import type { ModelPlan } from '../../model/config/plan.js';
import { INPUT_SITES, linearsAt } from '../../model/forward/block.js';

/** llama.cpp's name of the weight of a linear map of a block; undefined where it is not known. */
export function imatrixName(tensor: string): string | undefined {
  return storedNameOfLinear(unwrappedName(tensor));
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
