import type { CheckpointTensor } from '../checkpoint/types.js';
import type { StoredTensor } from '../storage/container.js';
import type { StoredPart } from '../storage/sourceRef.js';
import { countDecodedBytes } from './decodedSource.js';
import { LAYOUTS } from './index.js';
import type { FoundWeight, Layout, LayoutContext, QuantizationConfig } from './layout.js';
import { countElements } from './partReader.js';

/** Codes are of these types; a checkpoint without any of them stores all weights plainly. */
const CODE_TYPES: ReadonlySet<string> = new Set([
  ...['I8', 'U8', 'I16', 'I32', 'U32'],
  ...['F8_E4M3', 'F8_E5M2', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'],
]);

/** Small tensors that layouts may look into are no larger. */
const MAX_READ_BYTES = 65536;

/** How a weight is stored, for people and lists. */
export interface WeightStorage {
  /** "GPTQ 4-bit g128". */
  readonly label: string;
  /** Of all parts, in the file. */
  readonly bytes: number;
  readonly parts: readonly Pick<StoredTensor, 'name' | 'dtype' | 'shape' | 'bytes'>[];
}

/** A weight that is stored in parts, as one tensor of F32 that is decoded while it is read. */
export interface DecodedTensor extends CheckpointTensor {
  readonly storage: WeightStorage;
}

/** What layouts make of a checkpoint's tensors. */
export interface StoredWeights {
  /** In the place of each tensor that holds codes: the weight. */
  readonly weightOf: ReadonlyMap<CheckpointTensor, DecodedTensor>;
  /** Parts of the weights above; they are no tensors of their own. */
  readonly parts: ReadonlySet<CheckpointTensor>;
  /** Parts of weights that cannot be decoded, and why. */
  readonly refused: ReadonlyMap<CheckpointTensor, RefusedWeight>;
}

/** A weight of a known layout that cannot be decoded. */
export interface RefusedWeight {
  readonly weight: string;
  readonly label: string;
  readonly reason: string;
}

const NONE: StoredWeights = { weightOf: new Map(), parts: new Set(), refused: new Map() };

/**
 * Finds the weights that are stored in parts.
 * @param tensors of the whole checkpoint
 * @param quantization what its configuration says of quantization
 * @param read bytes of a small tensor
 * @throws CheckpointError where a small tensor cannot be read
 */
export async function findStoredWeights(
  tensors: readonly CheckpointTensor[],
  quantization: QuantizationConfig,
  read: (tensor: CheckpointTensor) => Promise<Uint8Array>,
): Promise<StoredWeights> {
  const candidates = tensors.filter(({ dtype }) => CODE_TYPES.has(dtype));
  if (candidates.length === 0) return NONE;
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const context: LayoutContext = {
    find: (name) => byName.get(name),
    read: async (tensor) => {
      const small = byName.get(tensor.name)!;
      if (small.bytes > MAX_READ_BYTES) return new Uint8Array(0);
      return read(small);
    },
    quantization,
  };
  const weightOf = new Map<CheckpointTensor, DecodedTensor>();
  const parts = new Set<CheckpointTensor>();
  const refused = new Map<CheckpointTensor, RefusedWeight>();
  for (const codes of candidates) {
    const found = await findWeight(codes, context);
    if (!found) continue;
    const { weight, layout } = found;
    const stored = Object.values(weight.parts).map(({ name }) => byName.get(name)!);
    const reason = weight.refusal ?? whyNotDecodable(weight, byName);
    if (reason !== undefined) {
      const { name, label } = weight;
      for (const part of stored) refused.set(part, { weight: name, label, reason });
      continue;
    }
    weightOf.set(codes, makeDecodedTensor(codes, weight, layout, stored));
    for (const part of stored) if (part !== codes) parts.add(part);
  }
  return { weightOf, parts, refused };
}

async function findWeight(
  codes: CheckpointTensor,
  context: LayoutContext,
): Promise<{ readonly weight: FoundWeight; readonly layout: Layout } | undefined> {
  for (const layout of LAYOUTS) {
    const weight = await layout.find(codes, context);
    if (weight) return { weight, layout };
  }
  return undefined;
}

/** What holds for every layout. */
function whyNotDecodable(
  { name, shape, parts }: FoundWeight,
  byName: ReadonlyMap<string, CheckpointTensor>,
): string | undefined {
  if (!shape.every((dimension) => Number.isSafeInteger(dimension) && dimension > 0)) {
    return 'it has no elements';
  }
  if (!Number.isSafeInteger(countDecodedBytes(shape))) return 'it is too large';
  const codes = Object.values(parts)[0];
  if (name !== codes.name && byName.has(name)) {
    return `there is also a plain tensor of the name of the weight`;
  }
  return undefined;
}

function makeDecodedTensor(
  codes: CheckpointTensor,
  { name, shape, parts, parameters, label }: FoundWeight,
  layout: Layout,
  stored: readonly CheckpointTensor[],
): DecodedTensor {
  const partRefs = Object.entries(parts).map(([role], index): [string, StoredPart] => {
    const { source, offset, dtype, shape: partShape } = stored[index];
    return [role, { source, offset, dtype, shape: partShape }];
  });
  return {
    name,
    file: codes.file,
    dtype: 'F32',
    shape,
    offset: 0,
    bytes: countDecodedBytes(shape),
    elements: countElements(shape),
    source: {
      kind: 'decoded',
      name: codes.source.name,
      weight: {
        layout: layout.id,
        tensor: name,
        shape,
        parts: Object.fromEntries(partRefs),
        parameters,
      },
    },
    storage: {
      label,
      bytes: stored.reduce((sum, { bytes }) => sum + bytes, 0),
      parts: stored.map((part) => ({
        name: part.name,
        dtype: part.dtype,
        shape: part.shape,
        bytes: part.bytes,
      })),
    },
  };
}
