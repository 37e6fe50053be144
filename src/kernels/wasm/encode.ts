import { GGML_TYPES } from '../../formats/ggmlTypes.js';
import { listGrids } from '../../formats/grid.js';
import { ruleProperties } from '../../formats/rules.js';
import type { GgmlTypeName, Rule } from '../../formats/types.js';
import { tensorScaleOf } from '../reference/gridGroup.js';
import { groupedShape } from '../reference/groups.js';
import type { ChunkShape, EncodedChunk } from '../types.js';
import type { Workspace } from '../workspace.js';
import { codeOf, GGML_CODES } from './configSchema.js';
import { writeConfig, type KernelCall } from './kernelConfig.js';
import { TABLES } from './tables.js';
import type { KernelExports } from './wasmKernels.js';

/** Loops may read and write up to 15 elements beyond the end of their data. */
const SLACK_BYTES = 64;

/** Addresses of consecutive areas of these sizes, each aligned and with room beyond its end. */
function addresses(start: number, sizes: readonly number[]): number[] {
  let next = start;
  return sizes.map((bytes) => {
    const at = next;
    next += Math.ceil(bytes / 16) * 16 + SLACK_BYTES;
    return at;
  });
}

/**
 * Encodes a chunk of at least one weight in a format that the vector kernels have. Everything lies behind the weights: at
 * most 9 bytes per weight, where the workspace has 12.
 */
export function encodeGroups(
  exports: KernelExports,
  workspace: Workspace,
  shape: ChunkShape,
  { format, scaleDtype, tensorRange }: KernelCall,
): EncodedChunk {
  const { memory, tables, weightsAt, outputAt } = workspace;
  const { rows, columns, groupColumns } = groupedShape(format, shape);
  const weights = rows * columns;
  const groups = rows * Math.ceil(columns / groupColumns);
  const [values, steps, codes, scales, second] = addresses(outputAt, [
    ...[groupColumns * 4, groupColumns * 4],
    ...[weights, groups * 4, groups * 4],
  ]);
  const config = tables + TABLES.config;
  const places = { config, grid: tables + TABLES.grid, choices: tables + TABLES.choices };
  writeConfig(memory.buffer, places, { format, scaleDtype, tensorRange });
  exports.encodeChunk(
    ...([weightsAt, values, steps, rows, columns, groupColumns] as const),
    ...([config, codes, scales, second] as const),
  );
  const { rule } = format.entry;
  const { hasZeroPoints, hasNegativeScales } = ruleProperties(rule);
  const secondOfGroups = () => workspace.floats(second, groups).slice();
  return {
    codes: workspace.bytes(codes, weights).slice(),
    scales: workspace.floats(scales, groups).slice(),
    negativeScales: hasNegativeScales ? secondOfGroups() : undefined,
    zeroPoints: hasZeroPoints ? secondOfGroups() : undefined,
    tensorScale: tensorScaleOf(rule, tensorRange),
    grids: hasSeveralGrids(rule) ? Uint8Array.from(secondOfGroups()) : undefined,
  };
}

function hasSeveralGrids(rule: Rule): boolean {
  return rule.kind === 'block-choice' && listGrids(rule.choices).length > 1;
}

/** Packs a chunk of whole GGUF blocks. */
export function encodeBlocks(
  exports: KernelExports,
  workspace: Workspace,
  type: GgmlTypeName,
  elements: number,
): EncodedChunk {
  const { tables, weightsAt, outputAt } = workspace;
  const { blockSize, blockBytes } = GGML_TYPES[type];
  const blocks = elements / blockSize;
  const [values, steps, packed] = addresses(outputAt, [
    ...[elements * 4, elements * 4, blocks * blockBytes],
  ]);
  exports.quantizeGgml(
    ...([codeOf(GGML_CODES, type), weightsAt, values, steps, blocks, packed] as const),
    tables + TABLES.blockScratch,
  );
  return {
    codes: new Uint8Array(0),
    scales: new Float32Array(0),
    packedBlocks: workspace.bytes(packed, blocks * blockBytes).slice(),
  };
}
