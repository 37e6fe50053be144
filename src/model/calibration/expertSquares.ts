import type { CallOptions } from '../../rpc/rpc.js';
import { visible } from '../../storage/errors.js';
import type { TensorChange } from '../evaluation/types.js';
import { INPUT_SITES, linearsAt } from '../forward/block.js';
import { CalibrationWalk } from './calibrationWalk.js';
import { EXPERT_SITES, type ExpertSiteName } from './expertSites.js';
import { addSquares, type InputSquares } from './squares.js';
import type { WalkRequest } from './types.js';

/** What calibration saw of the inputs of one expert's linear maps at a site. */
export interface ExpertSquares extends InputSquares {
  readonly block: number;
  readonly expert: number;
  readonly site: ExpertSiteName;
  /** Tensors of the maps' weights; experts that are stored as one tensor share its name. */
  readonly tensors: readonly string[];
}

export interface ExpertSquaresRequest extends WalkRequest {
  /** What earlier steps have made of the model, by tensor. */
  readonly base?: ReadonlyMap<string, TensorChange>;
}

/**
 * Σx² of the inputs of every expert's linear maps, over the rows that are routed to it. Rows are added in their order, in
 * f64: sums do not depend on threads.
 * @returns block by block, site by site, in the order of experts; of one without rows, sums of 0
 * @throws naming the tensor where an input is not finite; an AbortError when cancelled
 */
export async function findExpertSquares(
  request: ExpertSquaresRequest,
  options: CallOptions = {},
): Promise<readonly ExpertSquares[]> {
  const { pool, base } = request;
  const found: ExpertSquares[] = [];
  const changeOf = (name: string) => base?.get(name);
  const walk = new CalibrationWalk(request, options, 'none');
  await walk.run(async (block) => {
    await walk.loadVectors(block, changeOf);
    for (const site of INPUT_SITES) {
      const linears = linearsAt(block.plan, site);
      if (linears.length === 0) continue;
      for (const expertSite of site === 'feedForward' ? EXPERT_SITES : []) {
        for (const expert of await walk.expertSitesOf(block, expertSite, changeOf)) {
          const [{ inputs, weight }] = expert.linears;
          const sums = new Float64Array(inputs);
          await expert.observe(({ matrix, rows }) => {
            const values = new Float32Array(pool.memory.buffer, matrix.at, rows * inputs);
            if (!addSquares(sums, values)) {
              throw new Error(`Inputs of "${visible(weight)}" are not finite`);
            }
            return Promise.resolve();
          });
          const tensors = expert.linears.map((linear) => linear.weight);
          const { expert: number, rows } = expert;
          found.push({
            ...{ block: block.index, site: expertSite, expert: number },
            tensors,
            sums,
            rows,
          });
        }
      }
      await walk.pack(block, linears, changeOf);
      await walk.pass(site, block, changeOf);
    }
  });
  return found;
}
