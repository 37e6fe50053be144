import { MAX_NAME_CHARACTERS } from './longNames.js';
import type { TensorRole } from './types.js';

/** What a tensor is for, and why quantizers leave it alone by default; no reason: a linear weight. */
export interface RoleOfTensor {
  readonly role: TensorRole;
  readonly reason?: string;
}

/** A tensor as far as its role depends on it. */
interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A name, taken apart once. */
interface Parts {
  /** Modules, outermost first, in lower case; what is longer than any known name is "". */
  readonly modules: readonly string[];
  /** Name of the tensor itself in its module: "weight", "A_log". */
  readonly parameter: string;
  readonly dimensions: number;
  /** Beneath a numbered module, and so no head of the whole model. */
  readonly repeated: boolean;
}

/** What a name and a number of dimensions do not say; what is told from it holds for one tensor only. */
interface Surroundings {
  /** Whether experts stand beside the module that the tensor belongs to. */
  isBesideExperts(): boolean;
  /** Whether the layer has far fewer outputs than inputs. */
  isNarrow(): boolean;
}

/** No module that is known has a longer name. */
const MAX_MODULE_CHARACTERS = 100;

const EMBEDDING = { role: 'embedding', reason: 'an embedding' } as const;
const HEAD = { role: 'head', reason: 'a head' } as const;
const NORM = { role: 'norm', reason: 'a norm' } as const;
const BIAS = { role: 'bias', reason: 'a bias' } as const;
const ROUTER = { role: 'other', reason: 'a router' } as const;
const POSITIONS = { role: 'other', reason: 'a positional table' } as const;
const STATE = { role: 'other', reason: 'a state-space parameter' } as const;
const SCALE = { role: 'other', reason: 'a scale' } as const;
const CODEBOOK = { role: 'other', reason: 'a codebook' } as const;
const CONVOLUTION = { role: 'other', reason: 'a convolution' } as const;

const LINEAR: RoleOfTensor = { role: 'other' };

/** Words of names, by name: of a million tensors, nearly all names of modules are the same few. */
const knownWords = new Map<string, readonly string[]>();
const MAX_KNOWN = 4096;

function wordsOf(name: string): readonly string[] {
  const known = knownWords.get(name);
  if (known) return known;
  const words = name.split('_');
  if (knownWords.size >= MAX_KNOWN) knownWords.clear();
  knownWords.set(name, words);
  return words;
}

const isNumber = (text: string): boolean => /^[0-9]{1,9}$/.test(text);
const set = (names: string): ReadonlySet<string> => new Set(names.split(' '));
const hasAny = (words: readonly string[], known: ReadonlySet<string>): boolean =>
  words.some((word) => known.has(word));

const EMBEDDING_WORDS = set('embed embeds embedding embeddings emb embd wte wpe');
/** Linear layers around embeddings: "embedding_hidden_mapping_in", "embeddings_project". */
const LINEAR_WORDS = set('proj project projection linear dense mapping mlp');
/** Embeddings that are kept in numbered lists. */
const LISTED_EMBEDDINGS = set('embed_tokens embed_positions embedding embeddings word_embeddings');
const HEADS = set('lm_head lm_heads embed_out shared_head mlm_head medusa_head medusa_heads');
const OUTER_HEADS = set('output output_layer score proj_out qa_outputs vocab_projector');
const OUTER_HEAD_MODULES = set('classifier cls');
const HEAD_WORDS = set('head heads classifier');
const ROUTERS = set('shared_expert_gate shared_experts_gate expert_gate gate_inp ffn_gate_inp');
const GATE_WORDS = set('gate gating');
const FEED_FORWARD_WORDS = set('mlp ffn moe feed feedforward sparse mixer');
const MIXTURE_WORDS = set('moe experts');
const STATES = set('a_log a_logs a d ds ssm_a ssm_d r_k');
const SCALE_WORDS = set('scale scales scaling zero zeros qzeros absmax sink sinks');
const TOKEN_WORDS = set('token tokens');
const CONVOLUTION_WORDS = set('conv conv1 conv2 conv1d conv2d conv3d convs');

/** Rules of names, the first that holds decides. */
const RULES: readonly (readonly [RoleOfTensor, (parts: Parts, around: Surroundings) => boolean])[] =
  [
    [POSITIONS, ({ modules, parameter }) => isRelative(modules.at(-1)) || isRelative(parameter)],
    [BIAS, ({ parameter }) => parameter.endsWith('bias') || parameter.endsWith('biases')],
    [NORM, ({ modules }) => modules.some((module) => module.includes('norm')) || isNorm(modules)],
    [ROUTER, isRouter],
    [HEAD, isHead],
    [EMBEDDING, isEmbedding],
    [STATE, ({ parameter }) => STATES.has(parameter) || parameter.startsWith('time_')],
    [SCALE, ({ parameter }) => hasAny(wordsOf(parameter), SCALE_WORDS)],
    [CODEBOOK, ({ modules, parameter }) => isCodebook(parameter) || isCodebook(modules.at(-1))],
    [CONVOLUTION, ({ dimensions, modules }) => dimensions > 3 || isConvolution(modules)],
  ];

/** A name, or its last parts where it is longer than any that is known. */
function endOf(name: string): string {
  if (name.length <= MAX_NAME_CHARACTERS) return name;
  return name.slice(name.indexOf('.', name.length - MAX_NAME_CHARACTERS) + 1);
}

/** Full names of modules that have experts among their parts. */
export type Mixtures = Pick<ReadonlySet<string>, 'has'>;

/** Parts of names that are numbers of modules. */
const MODULE_NUMBERS = /\.[0-9]{1,9}(?=\.|$)/g;

/** Roles that were told from a name and a number of dimensions, by the name without its numbers. */
const knownRoles = new Map<string, RoleOfTensor>();
const MAX_KIND_CHARACTERS = 500;

/** What a tensor is for, by its name, its shape and what is known of the modules around it. */
export function findRole(
  { name, shape }: NamedShape,
  mixtures: Mixtures = new Set<string>(),
): RoleOfTensor {
  // No rule asks which number a module has, and nearly all names differ in nothing else.
  const isLong = name.length > MAX_KIND_CHARACTERS;
  let kind = isLong ? '' : name.replace(MODULE_NUMBERS, '.#');
  if (shape.length > 3) kind += ' 4';
  const known = knownRoles.get(kind);
  if (known) return known;
  const path = endOf(name).split('.');
  let asked = false;
  const surroundings: Surroundings = {
    isBesideExperts: () => {
      asked = true;
      return mixtures.has(path.slice(0, -2).join('.'));
    },
    isNarrow: () => {
      asked = true;
      const [outputs = 0, inputs = 0] = shape;
      return outputs * 4 <= inputs;
    },
  };
  const parts = takeApart(path, shape.length);
  const role = RULES.find(([, holds]) => holds(parts, surroundings))?.[0] ?? LINEAR;
  if (isLong || asked) return role;
  if (knownRoles.size >= MAX_KNOWN) knownRoles.clear();
  knownRoles.set(kind, role);
  return role;
}

function takeApart(path: readonly string[], dimensions: number): Parts {
  const segments = path.map((part) =>
    part.length > MAX_MODULE_CHARACTERS ? '' : part.toLowerCase(),
  );
  const modules = segments.slice(0, -1);
  const repeated = modules.slice(0, -1).some(isNumber);
  return { modules, parameter: segments.at(-1)!, dimensions, repeated };
}

/** T5's, Swin's, SAM's: "relative_attention_bias", "relative_position_bias_table", "rel_pos_h". */
function isRelative(name = ''): boolean {
  const words = wordsOf(name);
  if (words[0] !== 'relative' && words[0] !== 'rel') return false;
  return words.some((word) => ['bias', 'pos', 'position', 'table'].includes(word));
}

function isNorm(modules: readonly string[]): boolean {
  const module = modules.at(-1) ?? '';
  return module.startsWith('ln_') || ['ln', 'ln1', 'ln2', 'ln3'].includes(module);
}

/**
 * The layer that sends tokens to experts. A "gate" alone may also be the gate of a dense feed-forward
 * layer: one of those has no experts beside it, and as many outputs as that layer is wide.
 */
function isRouter({ modules }: Parts, surroundings: Surroundings): boolean {
  if (modules.some((module) => ROUTERS.has(module) || wordsOf(module).includes('router'))) {
    return true;
  }
  if (modules.some((module) => module.includes('router'))) return true;
  const [around = '', module = ''] = modules.slice(-2);
  if (module === 'wg' && around === 'gate') return true;
  const words = wordsOf(module);
  if (!hasAny(words, GATE_WORDS) || hasAny(words, LINEAR_WORDS) || words.includes('up')) {
    return false;
  }
  if (surroundings.isBesideExperts()) return true;
  const aroundWords = wordsOf(around);
  // Experts' own gates ("experts.gate") are no routers.
  if (aroundWords.includes('experts')) return false;
  if (hasAny(aroundWords, MIXTURE_WORDS)) return true;
  return module === 'gate' && hasAny(aroundWords, FEED_FORWARD_WORDS) && surroundings.isNarrow();
}

function isHead({ modules, repeated, parameter }: Parts): boolean {
  if (modules.some((module) => HEADS.has(module))) return true;
  if (repeated) return false;
  const module = modules.at(-1) ?? '';
  if (OUTER_HEADS.has(module) || modules.some((name) => OUTER_HEAD_MODULES.has(name))) return true;
  const last = wordsOf(module).at(-1)!;
  return parameter === 'weight' && HEAD_WORDS.has(last);
}

function isEmbedding({ modules, repeated, parameter }: Parts): boolean {
  if (parameter !== 'weight' && namesEmbedding(parameter)) return true;
  if (TOKEN_WORDS.has(wordsOf(parameter).at(-1)!)) return true;
  if (modules.some((module) => module.startsWith('patch_embed'))) return true;
  const module = modules.at(-1) ?? '';
  if (namesEmbedding(module)) return true;
  if (isNumber(module)) return LISTED_EMBEDDINGS.has(modules.at(-2) ?? '');
  if (module === 'shared') return !repeated;
  return modules.includes('embeddings') && !hasAny(wordsOf(module), LINEAR_WORDS);
}

function namesEmbedding(name: string): boolean {
  const words = wordsOf(name);
  return hasAny(words, EMBEDDING_WORDS) && !hasAny(words, LINEAR_WORDS);
}

function isCodebook(name = ''): boolean {
  return name.startsWith('codebook') || name.startsWith('codevector');
}

function isConvolution(modules: readonly string[]): boolean {
  return wordsOf(modules.at(-1) ?? '').some((word) => CONVOLUTION_WORDS.has(word));
}
