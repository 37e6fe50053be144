import type { StoredTensor } from '../storage/container.js';
import { forEachInSteps, type Steps } from '../storage/slices.js';
import { MAX_NAME_CHARACTERS } from './longNames.js';

/** How the experts of a layer lie that are stored as one tensor of [experts × … × …]. */
export interface FusedExperts {
  /** Each is [inputs × outputs]. */
  readonly transposed: boolean;
  /** Why they are left alone by default, where they are. */
  readonly leftAlone?: string;
}

/** Experts of a model: what its tensors say of each other. */
export interface ExpertsOfModel {
  /** By name. */
  readonly fused: ReadonlyMap<string, FusedExperts>;
  /** Full names of modules that have experts among their parts; a gate beside them is a router. */
  readonly mixtures: ReadonlySet<string>;
}

type Shaped = Pick<StoredTensor, 'name' | 'shape'>;

/** The tensors of a layer's experts, which say together which way round they are. */
interface Siblings {
  readonly up: Shaped[];
  readonly down: Shaped[];
}

/** Sizes that a configuration states. */
interface Widths {
  /** Of hidden states. */
  readonly hidden: ReadonlySet<number>;
  /** Between the two layers of a feed-forward module. */
  readonly inner: ReadonlySet<number>;
}

const set = (names: string): ReadonlySet<string> => new Set(names.split(' '));

/** Modules that hold experts. */
const EXPERTS = /(?:^|\.)(?:experts?|local_experts|shared_experts?|switch_mlp|switch_glu)(?:\.|$)/;
/** Tensors that lead from the hidden states to the inner width, or to twice as much with a gate. */
const UP = set(
  'gate_up_proj gate_and_up_proj gate_up w13 w13_weight gate_proj up_proj w1 w3 v1 w1_weight w3_weight ' +
    'gate up fc1 wi wi_0 wi_1 input_linear linear_fc1 ' +
    'ffn_gate_up_exps ffn_gate_exps ffn_up_exps',
);
/** Tensors that lead back. */
const DOWN = set('down_proj down w2 w2_weight fc2 wo output_linear linear_fc2 ffn_down_exps');

/** No layer that is known has more. */
const MAX_EXPERTS = 65536;

/** Families whose original code multiplies hidden states by experts of [inputs × outputs]. */
const INPUTS_FIRST = set('gpt_oss llama4 llama4_text qwen3_vl_moe qwen3_vl_moe_text');

const UNKNOWN = 'a tensor of experts that may have inputs or outputs first';
/** What gpt-oss was trained in: rounding such experts once more is asked for by name. */
const TRAINED_IN = 'MXFP4';

/**
 * Finds the fused experts of a model, in steps, and which way round they are: by the shapes of the two
 * layers of an expert, then by the widths that the configuration states, then by its family.
 * @param decodedFrom what a tensor's weights are decoded from, outputs first; undefined where they are stored plainly
 */
export function* findExperts(
  tensors: readonly StoredTensor[],
  config: Readonly<Record<string, unknown>> | undefined,
  decodedFrom: (tensor: StoredTensor) => string | undefined,
): Steps<ExpertsOfModel> {
  const mixtures = new Set<string>();
  /** The last of them: the experts of a layer mostly follow each other. */
  let mixture = ' ';
  const siblings = new Map<string, Siblings>();
  const decoded = new Map<string, string>();
  yield* forEachInSteps(tensors, (tensor) => {
    if (tensor.name.length > MAX_NAME_CHARACTERS) return;
    const { name } = tensor;
    const experts = EXPERTS.exec(name);
    if (experts && !(experts.index === mixture.length && name.startsWith(mixture))) {
      mixtures.add((mixture = name.slice(0, experts.index)));
    }
    const module = name.endsWith('.weight') ? name.slice(0, -'.weight'.length) : name;
    const dot = module.lastIndexOf('.');
    const leaf = module.slice(dot + 1);
    const isUp = UP.has(leaf);
    if (!isUp && !DOWN.has(leaf)) return;
    const parent = module.slice(0, Math.max(0, dot));
    if (!isFused(tensor, experts !== null || leaf.endsWith('_exps') || isMixture(parent))) return;
    const label = decodedFrom(tensor);
    if (label !== undefined) decoded.set(name, label);
    const found = siblings.get(parent) ?? { up: [], down: [] };
    siblings.set(parent, found);
    found[isUp ? 'up' : 'down'].push(tensor);
  });
  const widths = siblings.size > 0 ? readWidths(config) : undefined;
  const fused = new Map<string, FusedExperts>();
  yield* forEachInSteps(siblings.values(), ({ up, down }) => {
    for (const [each, isUp] of [...up.map(pair(true)), ...down.map(pair(false))]) {
      const label = decoded.get(each.name);
      if (label !== undefined) {
        const leftAlone = label.startsWith(TRAINED_IN)
          ? `a tensor of experts stored as ${TRAINED_IN}`
          : undefined;
        fused.set(each.name, { transposed: false, leftAlone });
        continue;
      }
      const partner = isUp ? down[0] : up[0];
      fused.set(each.name, orient(each, isUp, partner, widths!, config));
    }
  });
  return { fused, mixtures };
}

const pair =
  (isUp: boolean) =>
  (tensor: Shaped): readonly [Shaped, boolean] => [tensor, isUp];

function isFused({ shape }: Shaped, named: boolean): boolean {
  return named && shape.length === 3 && shape[0] <= MAX_EXPERTS && shape[1] > 0 && shape[2] > 0;
}

function isMixture(module: string): boolean {
  return module
    .slice(module.lastIndexOf('.') + 1)
    .split('_')
    .includes('moe');
}

/** Which way round a tensor of experts is, and whether that is known. */
function orient(
  tensor: Shaped,
  isUp: boolean,
  partner: Shaped | undefined,
  { hidden, inner }: Widths,
  config: Readonly<Record<string, unknown>> | undefined,
): FusedExperts {
  let possible = [false, true];
  const narrow = (holds: (transposed: boolean) => boolean) => {
    const left = possible.filter(holds);
    if (left.length > 0) possible = left;
  };
  if (partner) {
    const [up, down] = isUp ? [tensor, partner] : [partner, tensor];
    narrow((transposed) => fits(sides(up, transposed), sides(down, transposed)));
  }
  narrow((transposed) => {
    const { inputs, outputs } = sides(tensor, transposed);
    return hidden.has(isUp ? inputs : outputs);
  });
  narrow((transposed) => {
    const { inputs, outputs } = sides(tensor, transposed);
    return isUp ? inner.has(outputs) || inner.has(outputs / 2) : inner.has(inputs);
  });
  if (possible.length === 1) return { transposed: possible[0] };
  if (INPUTS_FIRST.has(familyOf(config))) return { transposed: true };
  return { transposed: false, leftAlone: UNKNOWN };
}

interface Sides {
  readonly inputs: number;
  readonly outputs: number;
}

function sides({ shape: [, first, last] }: Shaped, transposed: boolean): Sides {
  return transposed ? { inputs: first, outputs: last } : { inputs: last, outputs: first };
}

/** Whether two layers follow each other: the gate, if any, halves what lies between. */
function fits(up: Sides, down: Sides): boolean {
  if (up.inputs !== down.outputs) return false;
  return up.outputs === down.inputs || up.outputs === 2 * down.inputs;
}

function familyOf(config: Readonly<Record<string, unknown>> | undefined): string {
  return typeof config?.model_type === 'string' ? config.model_type : '';
}

/** The widths that a configuration states, for the whole model or for one of its parts. */
function readWidths(config: Readonly<Record<string, unknown>> = {}): Widths {
  const hidden = new Set<number>();
  const inner = new Set<number>();
  const nested = Object.values(config).filter((value) => typeof value === 'object');
  for (const part of [config, ...nested] as (Readonly<Record<string, unknown>> | null)[]) {
    if (!part || Array.isArray(part)) continue;
    for (const key of ['hidden_size', 'd_model', 'n_embd', 'dim']) addWidth(hidden, part[key]);
    for (const key of [
      'moe_intermediate_size',
      'intermediate_size',
      'expert_intermediate_size',
      'ffn_dim',
    ]) {
      addWidth(inner, part[key]);
    }
  }
  return { hidden, inner };
}

function addWidth(widths: Set<number>, value: unknown): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) widths.add(value);
}
