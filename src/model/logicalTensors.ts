import { readConfigFile } from '../checkpoint/configFile.js';
import type { CheckpointProblem, FreshCheckpoint, PartOfWeight } from '../checkpoint/types.js';
import type { QuantizationConfig } from '../layouts/layout.js';
import {
  findStoredWeights,
  type DecodedTensor,
  type RefusedWeight,
} from '../layouts/storedWeights.js';
import type { StoredTensor } from '../storage/container.js';
import { quoted } from '../storage/errors.js';
import { withSource, type FileSystem } from '../storage/fileSystem.js';

/** A checkpoint's tensors as the model has them: weights in one piece, however they are stored. */
export interface LogicalTensors {
  /** The caller's, who may use it up. Parts of decoded weights are not among them. */
  readonly tensors: StoredTensor[];
  /** Those that are decoded from parts. */
  readonly decoded: ReadonlyMap<StoredTensor, DecodedTensor>;
  /** Parts of weights that cannot be decoded. */
  readonly refused: ReadonlyMap<StoredTensor, RefusedPart>;
  /** A line for each way in which weights are stored. */
  readonly decodedFrom: readonly string[];
  /** Why weights that architectures ask for are not there, by name. */
  readonly undecodable: ReadonlyMap<string, string>;
  readonly notes: readonly CheckpointProblem[];
}

/** A tensor that is a part of a weight that cannot be decoded. */
export interface RefusedPart {
  readonly partOf: PartOfWeight;
  /** Why nothing can be done with it. */
  readonly reason: string;
}

/** Where tools say how they stored weights, apart from `config.json`. */
const QUANTIZATION_FILES = ['quantize_config.json', 'hf_quant_config.json'];

/** Finds the weights that are stored in parts. @throws CheckpointError where a small part cannot be read */
export async function findLogicalTensors(
  { files, folder, tensors, loneShard, wholeModel }: FreshCheckpoint,
  config: Readonly<Record<string, unknown>> | undefined,
  fileSystem: FileSystem,
): Promise<LogicalTensors> {
  const byName = new Map(files.map((file) => [file.name, file]));
  const found = await findStoredWeights(
    tensors,
    (file) => byName.get(file)!.source,
    () => readQuantizationConfig(folder, config, fileSystem),
    async ({ file, offset, bytes }) => {
      const target = new Uint8Array(bytes);
      await withSource(fileSystem, byName.get(file)!.path, (source) => source.read(offset, target));
      return target;
    },
  );
  const { weightOf, parts, refused } = found;
  if (weightOf.size === 0 && refused.size === 0) {
    const none = new Map<never, never>();
    const isWhole = tensors.length > 0 && loneShard === undefined && wholeModel === undefined;
    const notes = noteUnknownMethod(config, isWhole);
    return { tensors, decoded: none, refused: none, decodedFrom: [], undecodable: none, notes };
  }
  const logical = tensors
    .filter((tensor) => !parts.has(tensor))
    .map((tensor) => weightOf.get(tensor) ?? tensor);
  const decoded = new Map([...weightOf.values()].map((weight) => [weight, weight]));
  return {
    tensors: logical,
    decoded,
    refused: describeParts(refused),
    decodedFrom: describeDecoded([...decoded.values()]),
    undecodable: new Map(
      [...refused.values()].map((each) => [each.weight, `${each.label}: ${each.reason}`]),
    ),
    notes: [...noteRefused([...new Set(refused.values())])],
  };
}

/** What the model's files say of quantization; {} where they say nothing. */
export async function readQuantizationConfig(
  folder: string,
  config: Readonly<Record<string, unknown>> | undefined,
  fileSystem: FileSystem,
): Promise<QuantizationConfig> {
  const own = [config?.quantization_config, config?.quantization].find(isObject);
  if (own) return own;
  for (const name of QUANTIZATION_FILES) {
    const { config: other } = await readConfigFile(folder, fileSystem, name);
    if (other) return isObject(other.quantization) ? other.quantization : other;
  }
  return {};
}

function isObject(value: unknown): value is QuantizationConfig {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describeDecoded(weights: readonly DecodedTensor[]): string[] {
  const counts = new Map<string, number>();
  for (const { storage } of weights) {
    counts.set(storage.label, (counts.get(storage.label) ?? 0) + 1);
  }
  return [...counts].map(
    ([label, count]) =>
      `${count} ${count === 1 ? 'weight is' : 'weights are'} decoded from ${label}`,
  );
}

/** One description for each weight, however many parts it has. */
function describeParts(
  refused: ReadonlyMap<StoredTensor, RefusedWeight>,
): ReadonlyMap<StoredTensor, RefusedPart> {
  const described = new Map<RefusedWeight, RefusedPart>();
  const describe = (each: RefusedWeight): RefusedPart => {
    const { weight, label, reason } = each;
    const why = `a part of ${quoted(weight)}, stored as ${label}, which cannot be decoded: ${reason}`;
    const part = described.get(each) ?? { partOf: { weight, label }, reason: why };
    described.set(each, part);
    return part;
  };
  return new Map([...refused].map(([tensor, each]) => [tensor, describe(each)]));
}

/**
 * That the configuration calls the weights quantized although none is stored in a way that any layout knows: in one
 * that has no entry yet, or plainly, with a configuration that was left over.
 */
function noteUnknownMethod(
  config: Readonly<Record<string, unknown>> | undefined,
  isWhole: boolean,
): CheckpointProblem[] {
  const stated = config?.quantization_config;
  // Some shards of a quantized model hold no linear weights.
  if (!isObject(stated) || !isWhole) return [];
  const { quant_method: method } = stated;
  const named = typeof method === 'string' ? `quant_method ${quoted(method)}` : 'no quant_method';
  const message = `config.json says that the weights are quantized (${named}), but they are stored in no layout that is known here: the numbers shown are the stored ones`;
  return [{ file: 'config.json', message }];
}

/** One note for each reason, however many weights it holds for. */
function* noteRefused(weights: readonly RefusedWeight[]): Generator<CheckpointProblem> {
  const byReason = new Map<string, RefusedWeight[]>();
  for (const weight of weights) {
    const key = `${weight.label}: ${weight.reason}`;
    const same = byReason.get(key);
    if (same) same.push(weight);
    else byReason.set(key, [weight]);
  }
  for (const [key, [first, ...others]] of byReason) {
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    const verb = others.length > 0 ? 'are' : 'is';
    yield {
      file: first.file,
      message: `${quoted(first.weight)}${more} ${verb} stored in a way that cannot be decoded (${key})`,
    };
  }
}
