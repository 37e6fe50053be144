import type { CallOptions } from '../../rpc/rpc.js';
import type { Factorization } from '../gptq/factorize.js';
import { factorizationNotes, factorizeSite } from '../gptq/factorizeSite.js';
import type { GptqApi } from '../gptq/tasks.js';
import type { CalibrationSite, Gram } from '../types.js';
import type { FactoredInputs } from './layer.js';
import { QUIP_DAMPING, type VptqSettings } from './settings.js';

const ignore = () => undefined;

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The diagonal of a site's products, prepared as settings want it, and what that added to it. */
async function prepareDiagonal(
  { machine, inputs }: CalibrationSite,
  gram: Gram,
  { quip }: VptqSettings,
  { signal }: CallOptions,
): Promise<{ readonly diagonal: Float64Array; readonly added: number }> {
  const matrix = { at: gram.at, order: inputs };
  let diagonal: Float64Array = new Float64Array(0);
  const keep = (values: Float64Array) => void (diagonal = values);
  const tasks = machine.tasks<GptqApi>();
  await tasks.run('readDiagonal', [{ matrix, scratchBytes: 0 }], keep, signal);
  if (!quip) return { diagonal, added: 0 };
  const added = QUIP_DAMPING * meanOf(diagonal);
  const values = diagonal.map((value) => value + added);
  await tasks.run('writeDiagonal', [{ matrix, values, scratchBytes: 0 }], ignore, signal);
  return { diagonal: values, added };
}

/** What k-means and rows need of a factorization, in the order of columns. */
function inOrder({ factor, order, dead }: Factorization, diagonal: Float64Array): FactoredInputs {
  const isDead = new Set(dead);
  const inputAt = (k: number) => (order ? order[k] : k);
  return {
    factor,
    order,
    dead: [...diagonal.keys()].filter((k) => isDead.has(inputAt(k))),
    // Before dead inputs count as 1.
    weights: Float64Array.from(diagonal, (_, k) => diagonal[inputAt(k)]),
  };
}

/** Factors a site's gram in its place, see `factorize`. */
export async function factorInputs(
  site: CalibrationSite,
  gram: Gram,
  settings: VptqSettings,
  call: CallOptions,
): Promise<{
  readonly seen: FactoredInputs;
  /** What was added to each entry of the diagonal. */
  readonly added: number;
  /** Of the mean of the diagonal, as options name it. */
  readonly damping: number;
  readonly notes: readonly string[];
}> {
  const { damp, ordered } = settings;
  const prepared = await prepareDiagonal(site, gram, settings, call);
  const factorization = await factorizeSite(site, gram, { damp, actOrder: ordered }, call);
  const { damping } = factorization;
  // As `factorize` has it: dead inputs count as if they had been 1 once.
  const mean = meanOf(prepared.diagonal.map((value) => (value === 0 ? 1 : value)));
  return {
    seen: inOrder(factorization, prepared.diagonal),
    added: prepared.added + damping * mean,
    damping,
    notes: factorizationNotes(factorization, damp, 'do not count'),
  };
}
