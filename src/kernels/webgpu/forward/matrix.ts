import type { DeviceLimits } from '../adapter.js';
import type { Gpu, GpuView } from '../gpu.js';
import type { ProductChoice } from './productVariants.js';

/** A matrix of f32, row-major: its first element is the view's first word. */
export interface GpuMatrix {
  readonly view: GpuView;
  /** Floats from one row to the next. */
  readonly stride: number;
}

/** What the drivers of the forward kernels share. */
export interface ForwardContext {
  readonly gpu: Gpu;
  /** A word that is bound where a kernel's binding has nothing to hold. */
  readonly nothing: GpuView;
  /** How products are computed. */
  readonly products: ProductChoice;
}

/** Bindings start at multiples of so many bytes, up to one less before what is meant. */
const SLACK = 256;

/** Consecutive rows. */
export interface RowRun {
  readonly first: number;
  readonly count: number;
}

/** Some rows of a matrix, and no more of its buffer than they take. */
export function rowsOf(
  { view, stride }: GpuMatrix,
  { first, count }: RowRun,
  columns: number,
): GpuView {
  return words(view, first * stride, (count - 1) * stride + columns);
}

/** Words of a view. */
export function words({ buffer, offset }: GpuView, first: number, count: number): GpuView {
  return { buffer, offset: offset + first * 4, bytes: count * 4 };
}

/** A matrix from one of its columns on. */
export function columnsFrom({ view, stride }: GpuMatrix, first: number): GpuMatrix {
  return { view: words(view, first, view.bytes / 4 - first), stride };
}

/** Rows that one binding holds, at most. */
export function rowsThatFit(
  { bindingBytes }: DeviceLimits,
  stride: number,
  columns: number,
): number {
  const spare = Math.floor((bindingBytes - SLACK) / 4) - columns;
  if (spare < 0) throw new Error('A row is too long for the GPU');
  return stride === 0 ? Infinity : Math.floor(spare / stride) + 1;
}

/** Runs of rows such that each matrix' part fits in a binding; `unit`: rows that belong together. */
export function* runsOf(
  rows: number,
  limits: DeviceLimits,
  parts: readonly { readonly stride: number; readonly columns: number }[],
  unit = 1,
): Generator<RowRun> {
  const most = Math.min(
    rows,
    ...parts.map(({ stride, columns }) => rowsThatFit(limits, stride, columns)),
  );
  const step = most > unit ? most - (most % unit) : most;
  for (let first = 0; first < rows; first += step) {
    yield { first, count: Math.min(step, rows - first) };
  }
}

/** One view over several of a buffer; undefined where they lie in several or too far from one another. */
export function coverOf(
  { bindingBytes }: DeviceLimits,
  views: readonly GpuView[],
): GpuView | undefined {
  const [{ buffer }] = views;
  if (views.some((view) => view.buffer !== buffer)) return undefined;
  const offset = Math.min(...views.map((view) => view.offset));
  const bytes = Math.max(...views.map((view) => view.offset + view.bytes)) - offset;
  return bytes + SLACK <= bindingBytes ? { buffer, offset, bytes } : undefined;
}
