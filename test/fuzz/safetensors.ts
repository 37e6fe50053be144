import { readFileSync } from 'node:fs';
import { SAFETENSORS_DTYPES } from '../../src/safetensors/dtypes.js';
import { safetensors } from '../../src/safetensors/container.js';
import { makeMemorySource } from '../../src/storage/byteSource.js';
import { runInSlices } from '../../src/storage/slices.js';
import type { FileHeader, ShardIndex } from '../../src/storage/container.js';
import { ELEMENT_TYPES, type ElementTypeName } from '../../src/storage/elementTypes.js';
import { evaluateTree, parseTree, printTree, type JsonNode } from './json.js';
import { mutateBytes } from './mutateBytes.js';
import { mutateTree } from './mutateJson.js';
import type { Random } from './random.js';

const LENGTH_FIELD_BYTES = 8;
const MAX_DATA_BYTES = 1 << 16;
/** Lengths that a length field may claim. */
const CLAIMS = [
  0n,
  1n,
  2n,
  100_000_000n,
  100_000_001n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 53n,
  1n << 63n,
  ~0n,
];

/** Words of headers. */
export const HEADER_WORDS = [
  ...SAFETENSORS_DTYPES.map((dtype) => `"${dtype}"`),
  ...[
    '"dtype"',
    '"shape"',
    '"data_offsets"',
    '"__metadata__"',
    '[]',
    '[0]',
    '[0,0]',
    '[2,2]',
    '[8]',
  ],
  ...['"f32"', '"F8_E4M3FN"', '[18446744073709551615,2,0]', '[0,18446744073709551615,2]'],
];

/** The element type that a value names, F32 where it names none. */
export function dtypeOf(value: unknown): ElementTypeName {
  return SAFETENSORS_DTYPES.find((dtype) => dtype === value) ?? 'F32';
}

/** A file's header, by the container's way in. */
export function readHeader(bytes: Uint8Array, name: string): Promise<FileHeader> {
  return safetensors.readHeader(makeMemorySource(name, bytes), name);
}

/** The shard of each tensor that an index names. */
export async function readIndex(bytes: Uint8Array, name: string): Promise<ShardIndex['weightMap']> {
  return (await runInSlices(safetensors.readIndex!(bytes, name))).weightMap;
}

/** The shape that a value states, [] where it states none. */
export function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? value.map((each) => (typeof each === 'number' ? each : 0)) : [];
}

/** Length and text of a file's header; undefined where the length field is wrong. */
export function headerText(file: Uint8Array): string | undefined {
  if (file.length < LENGTH_FIELD_BYTES) return undefined;
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length > file.length - LENGTH_FIELD_BYTES) return undefined;
  return new TextDecoder().decode(file.subarray(LENGTH_FIELD_BYTES, LENGTH_FIELD_BYTES + length));
}

/** A file of a header's text and so many zero bytes. */
export function makeFile(text: string, dataBytes: number, claim?: bigint): Uint8Array {
  const json = new TextEncoder().encode(text);
  const file = new Uint8Array(LENGTH_FIELD_BYTES + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, claim ?? BigInt(json.length), true);
  file.set(json, LENGTH_FIELD_BYTES);
  return file;
}

/** The first tensors of a file's header, with zeros for their data. */
export function smallFile(path: string, tensors: number): Uint8Array {
  const tree = parseTree(headerText(readFileSync(path)) ?? '');
  if (tree?.kind !== 'object') throw new Error(`${path} has no header`);
  tree.members.splice(tensors);
  return makeFile(printTree(tree), placeTensors(tree));
}

/**
 * Gives every tensor the offsets that its type and shape ask for, one behind the other.
 * @returns bytes of data, 0 where they are too many to be made
 */
export function placeTensors(tree: JsonNode): number {
  if (tree.kind !== 'object') return 0;
  let end = 0;
  for (const { value } of tree.members) {
    if (value.kind !== 'object') continue;
    const offsets = value.members.find(({ key }) => key === '"data_offsets"');
    const fields = evaluateTree(value) as { dtype?: unknown; shape?: unknown };
    const type = ELEMENT_TYPES[fields.dtype as keyof typeof ELEMENT_TYPES];
    if (!offsets || !type || !Array.isArray(fields.shape)) continue;
    const elements = (fields.shape as unknown[]).reduce<number>(
      (product, each) => product * Number(each),
      1,
    );
    const begin = end;
    end += Math.ceil((elements / type.elementsPerBlock) * type.bytesPerBlock);
    if (!(end >= begin && end <= MAX_DATA_BYTES)) return 0;
    offsets.value = {
      kind: 'array',
      items: [begin, end].map((at): JsonNode => ({ kind: 'token', text: String(at) })),
    };
  }
  return end;
}

/** A file with a few changes to its header, most often with data and offsets that fit it. */
export function mutateFile(file: Uint8Array, random: Random, donor: Uint8Array): Uint8Array {
  const text = headerText(file);
  const tree = text === undefined || random.chance(0.1) ? undefined : parseTree(text);
  if (!tree) return mutateBytes(file, random, donor);
  mutateTree(tree, random, { words: HEADER_WORDS, donors: [headerText(donor) ?? '{}'] });
  // The text may be longer than its bytes, where they are no UTF-8.
  const before = Math.max(0, file.length - makeFile(text!, 0).length);
  let dataBytes = random.chance(0.75) ? placeTensors(tree) : before;
  if (random.chance(0.05)) dataBytes = Math.max(0, dataBytes + random.below(5) - 2);
  const space = random.chance(0.1) ? ' '.repeat(random.below(9)) : '';
  const claim = random.chance(0.03) ? random.pick(CLAIMS) & ((1n << 64n) - 1n) : undefined;
  return makeFile(printTree(tree) + space, dataBytes, claim);
}
