import type { MethodOption, StepOptions } from '../types.js';

/** Components of a vector, at most. */
export const LONGEST_VECTOR = 16;
/** Places of two bytes, as checkpoints store them. */
const MOST_CENTROIDS = 65536;

/** Added to the diagonal by QuIP#'s preparation, of its mean. */
export const QUIP_DAMPING = 0.01;

export const VPTQ_OPTIONS: readonly MethodOption[] = [
  {
    name: 'v',
    description: 'outputs of one input that make a vector',
    default: 4,
    range: [1, LONGEST_VECTOR],
    isWhole: true,
  },
  {
    name: 'k',
    description: 'centroids of a codebook',
    default: 256,
    range: [2, MOST_CENTROIDS],
    isWhole: true,
  },
  {
    name: 'r',
    description: 'centroids of a second codebook, for what the first leaves; 0: none',
    default: 0,
    range: [0, MOST_CENTROIDS],
    isWhole: true,
  },
  { name: 'perm', description: 'inputs with the largest products first', default: false },
  { name: 'norm', description: 'weights of an input are moved into 0 … 1 first', default: false },
  {
    name: 'outliers',
    description:
      'percent of the inputs that get a codebook of their own: those with the largest products, which come first as with perm',
    default: 0,
    range: [0, 100],
  },
  {
    name: 'outlier-v',
    description: 'outputs that make a vector of outliers',
    default: 4,
    range: [1, LONGEST_VECTOR],
    isWhole: true,
  },
  {
    name: 'outlier-k',
    description: 'centroids of the codebook of outliers',
    default: 256,
    range: [2, MOST_CENTROIDS],
    isWhole: true,
  },
  {
    name: 'groups',
    description: 'runs of inputs with codebooks of their own',
    default: 1,
    range: [1, 4096],
    isWhole: true,
  },
  {
    name: 'iterations',
    description: 'rounds of k-means at most',
    default: 100,
    range: [1, 10000],
    isWhole: true,
  },
  {
    name: 'tolerance',
    description: 'k-means ends when its cost falls by no more than this share',
    default: 1e-5,
    range: [0, 1],
  },
  { name: 'seed', description: 'draws the first centroids', default: 0, isWhole: true },
  {
    name: 'damp',
    description: 'added to the diagonal of the inputs’ products, relative to its mean',
    default: 0.01,
  },
  {
    name: 'quip',
    description: `prepares the products as QuIP# does: ${QUIP_DAMPING} of the mean is added to the diagonal beforehand`,
    default: false,
  },
  {
    name: 'order',
    description:
      'sequential: each linear map sees what the ones before it became; per-block: those of a block see the block unquantized',
    default: 'sequential',
    values: ['sequential', 'per-block'],
  },
];

/** The options by name. */
export interface VptqSettings {
  readonly length: number;
  readonly centroids: number;
  readonly residualCentroids: number;
  /** Whether inputs are taken in the order of their products, largest first. */
  readonly ordered: boolean;
  readonly normalized: boolean;
  /** Of the inputs: 0 to 1. */
  readonly outlierShare: number;
  readonly outlierLength: number;
  readonly outlierCentroids: number;
  readonly groups: number;
  readonly iterations: number;
  readonly tolerance: number;
  readonly seed: number;
  readonly damp: number;
  readonly quip: boolean;
}

export function readSettings(options: StepOptions): VptqSettings {
  const number = (name: string) => Number(options[name]);
  const outlierShare = number('outliers') / 100;
  return {
    length: number('v'),
    centroids: number('k'),
    residualCentroids: number('r'),
    ordered: options.perm === true || outlierShare > 0,
    normalized: options.norm === true,
    outlierShare,
    outlierLength: number('outlier-v'),
    outlierCentroids: number('outlier-k'),
    groups: number('groups'),
    iterations: number('iterations'),
    tolerance: number('tolerance'),
    seed: number('seed'),
    damp: number('damp'),
    quip: options.quip === true,
  };
}

/** Columns that share a codebook, in the order in which they are stored. */
export interface ColumnGroup {
  readonly first: number;
  readonly end: number;
  readonly length: number;
  readonly centroids: number;
  /** 0: no second codebook. */
  readonly residualCentroids: number;
}

/**
 * Groups of so many inputs: outliers first, where there are any, then runs of equal length; what these do not
 * divide counts as outliers.
 * @throws where no input is left for a group
 */
export function columnGroups(settings: VptqSettings, inputs: number): readonly ColumnGroup[] {
  const { groups, length, centroids, residualCentroids } = settings;
  const wanted = Math.ceil(settings.outlierShare * inputs);
  const outliers = wanted + ((inputs - wanted) % groups);
  const size = (inputs - outliers) / groups;
  if (size === 0) {
    throw new Error(`VPTQ: ${inputs} inputs are too few for ${groups} groups beside outliers`);
  }
  const found: ColumnGroup[] = Array.from({ length: groups }, (_, i) => {
    const first = outliers + i * size;
    return { first, end: first + size, length, centroids, residualCentroids };
  });
  if (outliers > 0) {
    found.unshift({
      first: 0,
      end: outliers,
      length: settings.outlierLength,
      centroids: settings.outlierCentroids,
      residualCentroids: 0,
    });
  }
  return found;
}

const NUMBER_BITS = 16;

/** Bits of a place among so many. */
function placeBits(count: number): number {
  return count > 1 ? Math.ceil(Math.log2(count)) : 0;
}

/**
 * Bits that weights take (arXiv 2409.17066, C.2): places of all vectors, codebooks, and what the paper does not
 * count: the order of the inputs, their scales and biases, and vectors that reach beyond the last output.
 * @param shape [… × outputs × inputs]
 */
export function countVptqBits(shape: readonly number[], options: StepOptions): number {
  const settings = readSettings(options);
  const inputs = shape.at(-1) ?? 1;
  const outputs = shape.at(-2) ?? 1;
  const matrices = shape.slice(0, -2).reduce((product, size) => product * size, 1);
  let bits = (settings.ordered ? NUMBER_BITS : 0) * inputs;
  if (settings.normalized) bits += 2 * NUMBER_BITS * inputs;
  for (const group of columnGroups(settings, inputs)) {
    const { first, end, length, centroids, residualCentroids } = group;
    const vectors = Math.ceil(outputs / length) * (end - first);
    bits += vectors * (placeBits(centroids) + placeBits(residualCentroids));
    bits += (centroids + residualCentroids) * length * NUMBER_BITS;
  }
  return matrices * bits;
}
