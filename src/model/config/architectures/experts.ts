import type { Activation } from '../../../kernels/forwardKernels.js';
import type { Configuration } from '../configuration.js';
import type { FeedForwardPlan, MixturePlan } from '../plan.js';
import type { TensorIndex } from '../tensorIndex.js';

/** How many experts there are, and how many of them a row goes to. */
export interface ExpertCounts {
  readonly experts: number;
  readonly expertsPerRow: number;
}

/** Names that releases of transformers have for the number of experts. */
const EXPERT_KEYS = ['num_experts', 'num_local_experts'] as const;

/**
 * Numbers of experts, held against each other.
 * @throws where they are missing or cannot be
 */
export function readExpertCounts(config: Configuration): ExpertCounts {
  const keys = EXPERT_KEYS.filter((key) => config.has(key));
  const [experts, other = experts] = (keys.length > 0 ? keys : [EXPERT_KEYS[0]]).map((key) =>
    config.count(key),
  );
  if (experts !== other) {
    config.fail(`"${EXPERT_KEYS.join('" and "')}" differ: ${experts} and ${other}`);
  }
  const expertsPerRow = config.count('num_experts_per_tok');
  if (expertsPerRow > experts) {
    config.fail(`"num_experts_per_tok" is ${expertsPerRow}, but there are ${experts} experts`);
  }
  return { experts, expertsPerRow };
}

/** What a feed-forward part of experts is made of. */
export interface ExpertParts extends ExpertCounts {
  /** Prefix of the router's and the experts' tensors. */
  readonly module: string;
  /** Names of an expert's linear maps where each has tensors of its own. */
  readonly names: { readonly gate: string; readonly up: string; readonly down: string };
  readonly normalized: boolean;
  readonly hiddenSize: number;
  /** Length of what an expert activates. */
  readonly width: number;
  readonly activation: Activation;
}

/** Name of the fused experts' gates and ups, as transformers 5 has them. */
export function fusedExperts(module: string): string {
  return `${module}.experts.gate_up_proj`;
}

/** A router and experts down(activation(gate(x))·up(x)), from separate tensors or from fused ones. */
export function planExperts(tensors: TensorIndex, parts: ExpertParts): MixturePlan {
  const { module, hiddenSize, experts, expertsPerRow, normalized } = parts;
  // First: its shape shows whether there are as many experts as the configuration says.
  const router = tensors.linear(`${module}.gate`, experts, hiddenSize);
  const plan = tensors.has(fusedExperts(module)) ? planFused : planSeparate;
  return { router, expertsPerRow, normalized, experts: plan(tensors, parts) };
}

function planSeparate(
  tensors: TensorIndex,
  { module, names, hiddenSize, width, activation, experts }: ExpertParts,
): readonly FeedForwardPlan[] {
  return Array.from({ length: experts }, (_, expert) => {
    const name = `${module}.experts.${expert}`;
    return {
      projections: [
        tensors.linear(`${name}.${names.gate}`, width, hiddenSize),
        tensors.linear(`${name}.${names.up}`, width, hiddenSize),
      ],
      gate: 0,
      up: width,
      width,
      activation,
      down: tensors.linear(`${name}.${names.down}`, hiddenSize, width),
    };
  });
}

function planFused(
  tensors: TensorIndex,
  { module, hiddenSize, width, activation, experts }: ExpertParts,
): readonly FeedForwardPlan[] {
  const gateAndUp = tensors.linearsOfExperts(fusedExperts(module), experts, 2 * width, hiddenSize);
  const down = tensors.linearsOfExperts(`${module}.experts.down_proj`, experts, hiddenSize, width);
  return gateAndUp.map((both, expert) => ({
    projections: [both],
    gate: 0,
    up: width,
    width,
    activation,
    down: down[expert],
  }));
}
