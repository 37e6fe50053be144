import type { WeightStorage } from '../checkpoint/types.js';
import type { StoredTensor } from '../storage/container.js';
import type { ElementTypeName } from '../storage/elementTypes.js';
import { quoted } from '../storage/errors.js';
import type { SourceRef, StoredPart } from '../storage/sourceRef.js';
import { countDecodedBytes } from './decodedSource.js';
import { LAYOUTS } from './index.js';
import type { FoundWeight, Layout, LayoutContext, QuantizationConfig } from './layout.js';
import { countElements } from './partReader.js';

/** Small tensors that layouts may look into are no larger. */
const MAX_READ_BYTES = 65536;

/** A weight that is stored in parts, as one tensor of F32 that is decoded while it is read. */
export interface DecodedTensor extends StoredTensor {
  readonly source: SourceRef;
  readonly storage: WeightStorage;
}

/** What layouts make of a checkpoint's tensors. */
export interface StoredWeights {
  /** In the place of each tensor that holds codes: the weight. */
  readonly weightOf: ReadonlyMap<StoredTensor, DecodedTensor>;
  /** Parts of the weights above; they are no tensors of their own. */
  readonly parts: ReadonlySet<StoredTensor>;
  /** Parts of weights that cannot be decoded, and why. */
  readonly refused: ReadonlyMap<StoredTensor, RefusedWeight>;
}

/** A weight of a known layout that cannot be decoded. */
export interface RefusedWeight {
  readonly file: string;
  readonly weight: string;
  readonly label: string;
  readonly reason: string;
}

const NONE: StoredWeights = { weightOf: new Map(), parts: new Set(), refused: new Map() };

/**
 * Finds the weights that are stored in parts.
 * @param tensors of the whole checkpoint
 * @param sourceOf where the bytes of a file are read from
 * @param readQuantization what its configuration says of quantization; asked for only where it matters
 * @param read bytes of a small tensor
 * @throws CheckpointError where a small tensor cannot be read
 */
export async function findStoredWeights(
  tensors: readonly StoredTensor[],
  sourceOf: (file: string) => SourceRef,
  readQuantization: () => Promise<QuantizationConfig>,
  read: (tensor: StoredTensor) => Promise<Uint8Array>,
): Promise<StoredWeights> {
  const candidates = tensors.filter(mayHoldCodes);
  if (candidates.length === 0) return NONE;
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const context: LayoutContext = {
    find: (name) => byName.get(name),
    read: async (tensor) => {
      const small = byName.get(tensor.name)!;
      if (small.bytes > MAX_READ_BYTES) return new Uint8Array(0);
      return read(small);
    },
    quantization: await readQuantization(),
  };
  const weightOf = new Map<StoredTensor, DecodedTensor>();
  const parts = new Set<StoredTensor>();
  const refused = new Map<StoredTensor, RefusedWeight>();
  for (const candidate of candidates) {
    const found = await findWeight(candidate, context);
    if (!found) continue;
    const { weight, layout } = found;
    const stored = Object.values(weight.parts).map(({ name }) => byName.get(name)!);
    const [codes] = stored;
    const reason = weight.refusal ?? whyNotDecodable(weight, layout, byName);
    if (reason !== undefined) {
      const { name, label } = weight;
      const why: RefusedWeight = { file: codes.file, weight: name, label, reason };
      for (const part of stored) refused.set(part, why);
      continue;
    }
    weightOf.set(codes, makeDecodedTensor(weight, layout, stored, sourceOf));
    for (const part of stored) if (part !== codes) parts.add(part);
  }
  return { weightOf, parts, refused };
}

/** What names of codes end in for some layout, by element type. */
const endsOfCodes = new Map<ElementTypeName, readonly string[]>();

/** Whether a tensor holds or describes codes for some layout: there may be a million that do not. */
function mayHoldCodes({ name, dtype, encoding }: StoredTensor): boolean {
  let ends = endsOfCodes.get(dtype);
  if (!ends) {
    const all = LAYOUTS.flatMap(({ codes }) =>
      !codes || (codes.types && !codes.types.includes(dtype)) ? [] : codes.endsIn,
    );
    endsOfCodes.set(dtype, (ends = [...new Set(all)]));
  }
  return encoding !== undefined || ends.some((end) => name.endsWith(end));
}

/**
 * The module that a tensor holds codes of, if a layout knows it for codes by its type and name: "a.b" of
 * "a.b.qweight". A checkpoint that stores all weights plainly has no such tensors.
 */
function moduleOfCodes({ name, dtype, encoding }: StoredTensor, { codes }: Layout) {
  if (!codes) return encoding && name;
  if (codes.types && !codes.types.includes(dtype)) return undefined;
  const end = codes.endsIn.find((each) => name.endsWith(each));
  return end === undefined ? undefined : name.slice(0, -end.length);
}

async function findWeight(
  codes: StoredTensor,
  context: LayoutContext,
): Promise<{ readonly weight: FoundWeight; readonly layout: Layout } | undefined> {
  for (const layout of LAYOUTS) {
    const module = moduleOfCodes(codes, layout);
    const weight = module === undefined ? undefined : await layout.find(codes, context, module);
    if (weight) return { weight, layout };
  }
  return undefined;
}

/** What holds for every layout. */
function whyNotDecodable(
  { name, shape, parts }: FoundWeight,
  { partTypes }: Layout,
  byName: ReadonlyMap<string, StoredTensor>,
): string | undefined {
  for (const [role, part] of Object.entries(parts)) {
    const types = partTypes && Object.hasOwn(partTypes, role) ? partTypes[role] : undefined;
    if (types && !types.includes(part.dtype)) {
      return `${quoted(part.name)} is of type ${part.dtype}, where ${types.join(', ')} may be`;
    }
  }
  if (shape.length === 0) return 'it has no dimensions';
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
  { name, shape, parts, parameters, label }: FoundWeight,
  layout: Layout,
  stored: readonly StoredTensor[],
  sourceOf: (file: string) => SourceRef,
): DecodedTensor {
  const [{ file }] = stored;
  const partRefs = Object.keys(parts).map((role, index): [string, StoredPart] => {
    const { offset, dtype, shape: partShape, file: partFile } = stored[index];
    return [role, { source: sourceOf(partFile), offset, dtype, shape: partShape }];
  });
  const weight = {
    layout: layout.id,
    tensor: name,
    shape,
    parts: Object.fromEntries(partRefs),
    parameters,
  };
  return {
    name,
    file,
    dtype: 'F32',
    shape,
    offset: 0,
    bytes: stored.reduce((sum, { bytes }) => sum + bytes, 0),
    elements: countElements(shape),
    source: { kind: 'decoded', name: sourceOf(file).name, weight },
    storage: {
      label,
      parts: stored.map((part) => ({
        name: part.encoding?.storedName ?? part.name,
        dtype: part.dtype,
        shape: part.shape,
        bytes: part.bytes,
      })),
    },
  };
}
