import { activations } from '../../src/kernels/reference/forward/functions.js';
import type { FeedForwardPlan, MixturePlan } from '../../src/model/config/plan.js';
import type { PlainLayers, Rows } from './plainLinear.js';

/** down(activation(gate)·up) before the last map, from what the projections came to. */
export function activated(
  { gate, up, width, activation }: FeedForwardPlan,
  parts: readonly Rows[],
): Rows {
  const activate = activations[activation];
  return parts[0].map((_, row) => {
    const all = parts.flatMap((part) => [...part[row]]);
    return Float64Array.from(
      { length: width },
      (__, i) => activate(all[gate + i]) * (up === undefined ? 1 : all[up + i]),
    );
  });
}

async function expertOf(
  plain: PlainLayers,
  expert: FeedForwardPlan,
  rows: Rows,
): Promise<Float64Array> {
  const parts = await Promise.all(expert.projections.map((each) => plain.linear(each, rows)));
  return (await plain.linear(expert.down, activated(expert, parts)))[0];
}

/** Which experts a row goes to, by its logits, and with what weights. */
export function shares(
  { expertsPerRow, normalized }: Pick<MixturePlan, 'expertsPerRow' | 'normalized'>,
  logits: Float64Array,
): ReadonlyMap<number, number> {
  const all = logits.map((each) => Math.exp(each - Math.max(...logits)));
  const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
  const chosen = order.slice(0, expertsPerRow);
  const whole = normalized ? chosen.map((expert) => all[expert]) : [...all];
  const sum = whole.reduce((total, each) => total + each, 0);
  return new Map(chosen.map((expert) => [expert, all[expert] / sum]));
}

/** A router and its experts, row by row. */
export async function plainMixture(
  plain: PlainLayers,
  mixture: MixturePlan,
  rows: Rows,
): Promise<Rows> {
  const logits = await plain.linear(mixture.router, rows);
  return Promise.all(
    rows.map(async (row, index) => {
      const sum = new Float64Array(row.length);
      for (const [expert, share] of shares(mixture, logits[index])) {
        const result = await expertOf(plain, mixture.experts[expert], [row]);
        result.forEach((value, i) => (sum[i] += share * value));
      }
      return sum;
    }),
  );
}
