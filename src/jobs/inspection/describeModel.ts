import type { CheckpointProblem, ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { nameArchitecture, summarizeConfig } from '../../model/config/configSummary.js';
import type { CheckpointReport, TensorReport } from '../../reports/reports.js';
import { countWeights } from '../../reports/storedAs.js';
import { forEachInSteps, runAtOnce, type Steps } from '../../storage/slices.js';
import { describeLayersInSteps } from './describeLayers.js';

/** How much of a model is sent to a page; a message has its limits, and so has who reads the page. */
export interface PageBounds {
  /** Characters that tensors take in the message, roughly; a hundred thousand tensors fit. */
  readonly tensorCharacters: number;
  readonly metadataCharacters: number;
  readonly files: number;
}

const PAGE_BOUNDS: PageBounds = {
  tensorCharacters: 60_000_000,
  metadataCharacters: 1_000_000,
  files: 10_000,
};

/** Characters that a key or a value takes on a page beside its own. */
const METADATA_CELL = 100;

/** What is wrong with a model's files, and what is not certain of them. */
export function listProblems({ problems, notes }: OpenedModel): readonly CheckpointProblem[] {
  return [...problems, ...notes];
}

/** What is known of a tensor, without the way to its bytes. */
export function describeTensor({ source: _, ...tensor }: ModelTensor): TensorReport {
  return tensor;
}

/** What `inspect --json` says of a tensor whose weights it has not read. */
export type InspectedTensor = Omit<TensorReport, 'shape' | 'exactShape'> & {
  readonly shape: readonly (number | string)[];
};

/** A tensor for `inspect --json`; written out, not spread, since there may be a million of them. */
export function describeForInspection(tensor: ModelTensor): InspectedTensor {
  return {
    name: tensor.name,
    file: tensor.file,
    dtype: tensor.dtype,
    offset: tensor.offset,
    bytes: tensor.bytes,
    elements: tensor.elements,
    layer: tensor.layer,
    nameInLayer: tensor.nameInLayer,
    transposed: tensor.transposed,
    role: tensor.role,
    quantizedByDefault: tensor.quantizedByDefault,
    notByDefault: tensor.notByDefault,
    notQuantizable: tensor.notQuantizable,
    shape: tensor.exactShape ?? tensor.shape,
    storage: tensor.storage,
    ...(tensor.partOf && { partOf: tensor.partOf }),
    ...(tensor.matrixShape && { matrixShape: tensor.matrixShape }),
  };
}

/** An opened model as the editor shows it, in steps: of a giant one the first tensors, as many as a page bears. */
export function* describeModelInSteps(
  model: OpenedModel,
  bounds: PageBounds = PAGE_BOUNDS,
): Steps<CheckpointReport> {
  const { path, fileSystem, files, metadata, config } = model;
  const tensors: TensorReport[] = [];
  let [totalBytes, totalElements, room] = [0, 0, bounds.tensorCharacters];
  yield* forEachInSteps(model.tensors, (tensor) => {
    totalBytes += tensor.bytes;
    totalElements += countWeights(tensor);
    if (room <= 0) return;
    room -= charactersOf(tensor);
    if (room >= 0) tensors.push(describeTensor(tensor));
  });
  const unlisted = model.tensors.length - tensors.length;
  return {
    path,
    name: fileSystem.split(path).name,
    files: files
      .slice(0, bounds.files)
      .map(({ name, sizeBytes, headerBytes }) => ({ name, sizeBytes, headerBytes })),
    tensors,
    layers: yield* describeLayersInSteps(tensors),
    metadata: yield* shortenMetadata(metadata, bounds.metadataCharacters),
    problems: listProblems(model),
    ...(model.wholeModel !== undefined && { isPartOfModel: true }),
    totalBytes,
    totalElements,
    ...(unlisted > 0 && { unlistedTensors: unlisted }),
    architecture: nameArchitecture(config),
    configSummary: summarizeConfig(config),
  };
}

/** {@link describeModelInSteps} at once. */
export function describeModel(model: OpenedModel, bounds?: PageBounds): CheckpointReport {
  return runAtOnce(describeModelInSteps(model, bounds));
}

/** Characters of the message that a tensor takes, roughly: its names come up to four times. */
function charactersOf({ name, shape }: ModelTensor): number {
  return 300 + 4 * name.length + 40 * shape.length;
}

/** The first metadata, long values cut; what was left out is said in its place. */
function* shortenMetadata(
  metadata: Readonly<Record<string, string>>,
  characters: number,
): Steps<Record<string, string>> {
  const shown = Object.create(null) as Record<string, string>;
  let room = characters;
  let left = 0;
  yield* forEachInSteps(Object.keys(metadata), (key) => {
    const value = metadata[key];
    if (room <= 0 || key.length > room) {
      left++;
      return;
    }
    room -= key.length + METADATA_CELL;
    const cut = value.length > Math.max(room, METADATA_CELL);
    const part = cut ? value.slice(0, Math.max(room, METADATA_CELL)) : value;
    shown[key] = cut ? `${part}… (${value.length} characters)` : part;
    room -= part.length;
  });
  if (left > 0) shown['…'] = `and ${left} more`;
  return shown;
}
