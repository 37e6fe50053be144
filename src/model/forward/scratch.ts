import { countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { isRouter, type Block, type FeedForward } from './block.js';
import { roundingKey } from './rounding.js';
import type { PlacedBlock, PlacedLinear } from './tasks.js';

const ALIGNMENT = 64;
/** Rows that packing may add, and slack for alignment. */
const EXTRA_ROWS = 16;
const SLACK_BYTES = 1 << 16;

/** Memory for one task, beside the places that it names. */
export interface Scratch {
  /** Address of so many bytes, aligned. */
  take(bytes: number): number;
  floats(count: number): number;
  /** Gives back everything that was taken. */
  free(): void;
  /** Runs something whose own takings are free again afterwards. */
  borrow<Result>(use: () => Result): Result;
}

/** Hands out parts of a worker's region. */
export class RegionScratch implements Scratch {
  private top: number;

  constructor(private readonly region: MemoryRegion) {
    this.top = region.start;
  }

  take(bytes: number): number {
    const at = Math.ceil(this.top / ALIGNMENT) * ALIGNMENT;
    this.top = at + bytes;
    if (this.top > this.region.start + this.region.bytes) {
      throw new Error(`A task of the forward pass needs more than ${this.region.bytes} bytes`);
    }
    return at;
  }

  floats(count: number): number {
    return this.take(count * 4);
  }

  free(): void {
    this.top = this.region.start;
  }

  borrow<Result>(use: () => Result): Result {
    const { top } = this;
    try {
      return use();
    } finally {
      this.top = top;
    }
  }
}

/** Bytes that a matrix and its packed form take. */
function rowsBytes(rows: number, columns: number): number {
  return (rows + EXTRA_ROWS) * columns * 4;
}

function columnsOf(linears: readonly { readonly outputs: number }[]): number {
  return linears.reduce((sum, { outputs }) => sum + outputs, 0);
}

type LinearSizes = Pick<PlacedLinear, 'outputs' | 'inputs' | 'inputRounding'>;
type Sizes = Block<LinearSizes, unknown>;

/**
 * What roundings need at a place where linear maps take the same inputs: rows on their way to be packed, and
 * the packed rows themselves once more for each further way in which they are wanted.
 */
function roundingBytes(linears: readonly LinearSizes[], rows: number): number {
  const wanted = new Set(linears.map(({ inputRounding }) => roundingKey(inputRounding)));
  const isPlain = wanted.size === 1 && !linears[0].inputRounding;
  return isPlain ? 0 : wanted.size * rowsBytes(rows, linears[0].inputs);
}

/** Scratch of `quadraticForm`. */
export function productScratchBytes(rows: number, order: number): number {
  return SLACK_BYTES + 2 * rowsBytes(rows, order);
}

/** Scratch of `project` and `finish` for a tile of so many rows. */
export function blockScratchBytes({ attention, feedForward }: Sizes, rows: number): number {
  const hidden = attention.output.outputs;
  const isRouted = isRouter(feedForward);
  const width = isRouted ? 0 : feedForward.width;
  const projections = isRouted ? [feedForward.router] : feedForward.projections;
  const sites = [attention.projections, [attention.output], projections];
  if (!isRouted) sites.push([feedForward.down]);
  const widest = Math.max(hidden, attention.output.inputs, width);
  return (
    SLACK_BYTES +
    3 * rowsBytes(rows, hidden) +
    rowsBytes(rows, widest) +
    rowsBytes(rows, columnsOf(projections)) +
    sites.reduce((sum, linears) => sum + roundingBytes(linears, rows), 0)
  );
}

/** Rows that an expert takes at once. */
export const EXPERT_ROWS = 256;

/** Scratch of `applyExperts` for experts of these sizes and a tile of so many rows. */
export function expertScratchBytes(
  { projections, width, down }: FeedForward<LinearSizes>,
  rows: number,
): number {
  const most = Math.min(rows, EXPERT_ROWS);
  const { inputs } = projections[0];
  return (
    SLACK_BYTES +
    2 * rowsBytes(most, inputs) +
    rowsBytes(most, columnsOf(projections)) +
    rowsBytes(most, width) +
    rowsBytes(most, down.outputs) +
    roundingBytes(projections, most) +
    roundingBytes([down], most)
  );
}

/** Scratch of `attend` for a window of so many rows. */
export function attendScratchBytes(
  { headSize }: Pick<PlacedBlock['attention'], 'headSize'>,
  rows: number,
): number {
  const packed = countPackedWeightBytes(rows, headSize) + countPackedWeightBytes(headSize, rows);
  return SLACK_BYTES + packed + 4 * rowsBytes(128, rows + headSize) + rowsBytes(rows, headSize);
}

/** Columns of logits that are computed at once. */
export const LOGIT_COLUMNS = 512;

/** What scratch of `score` depends on. */
export interface ScoreSizes {
  readonly rows: number;
  readonly hiddenSize: number;
  /** Length of what the head takes. */
  readonly headInputs: number;
  /** Models that are scored together. */
  readonly models: number;
}

/** Scratch of `score`; of `logits` and `finalInputs` with one model. */
export function scoreScratchBytes({ rows, hiddenSize, headInputs, models }: ScoreSizes): number {
  return (
    SLACK_BYTES +
    rowsBytes(rows, hiddenSize) * 2 +
    rowsBytes(rows, headInputs) * (models + 1) +
    rowsBytes(rows, LOGIT_COLUMNS) * 2
  );
}
