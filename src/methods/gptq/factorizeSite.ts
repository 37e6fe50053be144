import type { CallOptions } from '../../rpc/rpc.js';
import type { CalibrationSite, Gram } from '../types.js';
import { factorize, NonFiniteGramError, type Factorization } from './factorize.js';

/**
 * Factors the gram of a site's inputs in its place, see {@link factorize}.
 * @throws an Error that names the block where inputs were not all finite
 */
export async function factorizeSite(
  { machine, block, inputs, linears }: CalibrationSite,
  gram: Gram,
  options: { readonly damp: number; readonly actOrder: boolean },
  call: CallOptions,
): Promise<Factorization> {
  try {
    return await factorize(machine, { at: gram.at, order: inputs }, options, call);
  } catch (error) {
    if (!(error instanceof NonFiniteGramError)) throw error;
    const where = `block ${block} (${linears.map(({ name }) => name).join(', ')})`;
    throw new Error(`The inputs of ${where} are not all finite numbers`, { cause: error });
  }
}

/**
 * What a user must know of a factorization.
 * @param wanted damping
 * @param fate of the weights of dead inputs
 */
export function factorizationNotes(
  { dead, damping }: Factorization,
  wanted: number,
  fate = 'became zero',
): string[] {
  const notes: string[] = [];
  if (damping !== wanted) {
    notes.push(
      `The inputs' products have no Cholesky factor with a damping of ${wanted}; it was raised to ${damping}.`,
    );
  }
  if (dead.length > 0) {
    const those = dead.length === 1 ? '1 input was' : `${dead.length} inputs were`;
    notes.push(`${those} zero in all rows; their weights ${fate}.`);
  }
  return notes;
}
