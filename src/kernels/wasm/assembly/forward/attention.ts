import { packTile } from './packing';
import { softmaxFour } from './softmax';
import { DEPTH, tile4, tileTransposed } from './tile';

/** Queries that meet a panel of keys or values together. */
const BLOCK: i32 = 32;
/** Tiles of four queries in a block. */
const TILES: usize = 8;

/** First key, a multiple of 8, that the queries from `row` on need. */
// @ts-ignore: decorator
@inline
function firstKey(row: i32, window: i32): i32 {
  return window > 0 ? max(0, row - window + 1) & ~7 : 0;
}

/** Bytes of a tile's scores, [keys][4] floats: as many keys as a block of queries can need. */
// @ts-ignore: decorator
@inline
function scoreBytes(rows: i32, window: i32): usize {
  const all = (rows + 7) & ~7;
  return <usize>(window > 0 ? min(all, ((window + BLOCK + 7) & ~7) + 8) : all) << 4;
}

/** Packed queries, their scores and the sums of the exponentials of one block. */
export function attentionScratchBytes(rows: i32, headSize: i32, window: i32): usize {
  return TILES * (<usize>headSize << 4) + TILES * (scoreBytes(rows, window) + 16);
}

/** Scores of a block's tiles with every panel of keys that they see. */
function scoreBlock(
  queries: usize, keys: usize, scores: usize, tileBytes: usize, headSize: i32,
  block: i32, low: i32, high: i32, tiles: i32, window: i32,
): void {
  const queryBytes = <usize>headSize << 4;
  for (let key = low; key < high; key += 8) {
    const panel = keys + ((<usize>key * headSize) << 2);
    const target = scores + (<usize>(key - low) << 4);
    const first = key > block ? (key - block) >> 2 : 0;
    const last = window > 0 ? min(tiles - 1, (key + 6 + window - block) >> 2) : tiles - 1;
    for (let t = first; t <= last; t++) {
      tileTransposed(queries + <usize>t * queryBytes, panel, headSize, target + <usize>t * tileBytes);
    }
  }
}

/** Sums of the values, weighted by a block's exponentials, in slices of {@link DEPTH} keys. */
function mixBlock(
  scores: usize, tileBytes: usize, values: usize, output: usize, step: usize, headSize: i32, rows: i32,
  block: i32, low: i32, high: i32, window: i32,
): void {
  for (let key = low; key < high; key += DEPTH) {
    for (let column = 0; column < headSize; column += 8) {
      const panel = values + ((<usize>column * rows + ((<usize>key) << 3)) << 2);
      const columns = min(8, headSize - column);
      for (let row = block, tile = scores; row < high; row += 4, tile += tileBytes) {
        const first = firstKey(row, window);
        const from = max(key, first), to = min(min(key + DEPTH, row + 4), high);
        if (from >= to) continue;
        const x = tile + (<usize>(from - low) << 4), w = panel + (<usize>(from - key) << 5);
        const y = output + <usize>(row - block) * step + (<usize>column << 2);
        tile4(x, w, to - from, y, step, 0, from > first, min(4, high - row), columns);
      }
    }
  }
}

/** values /= divisor over n floats. */
function divideRow(p: usize, n: i32, divisor: f32): void {
  const factor = <f32>1 / divisor, f = f32x4.splat(factor);
  const wide = p + (<usize>(n & ~3) << 2), end = p + (<usize>n << 2);
  for (; p < wide; p += 16) v128.store(p, f32x4.mul(v128.load(p), f));
  for (; p < end; p += 4) store<f32>(p, load<f32>(p) * factor);
}

/** Causal attention of one head; see `ForwardKernels.attend`. Strides in floats. */
export function attend(
  queries: usize, queryStride: i32, keys: usize, values: usize,
  rows: i32, headSize: i32, scale: f32, window: i32, cap: f32,
  output: usize, outputStride: i32, scratch: usize,
): void {
  const queryStep = <usize>queryStride << 2, step = <usize>outputStride << 2;
  const queryBytes = <usize>headSize << 4, tileBytes = scoreBytes(rows, window);
  const scores = scratch + TILES * queryBytes;
  const sums = scores + TILES * tileBytes;
  for (let block = 0; block < rows; block += BLOCK) {
    const high = min(block + BLOCK, rows), low = firstKey(block, window);
    const tiles = (high - block + 3) >> 2;
    for (let t = 0; t < tiles; t++) {
      const row = block + (t << 2);
      packTile(
        queries + <usize>row * queryStep, queryStep, min(4, high - row), headSize, scale,
        scratch + <usize>t * queryBytes, 4,
      );
    }
    scoreBlock(scratch, keys, scores, tileBytes, headSize, block, low, high, tiles, window);
    for (let t = 0; t < tiles; t++) {
      const row = block + (t << 2), from = firstKey(row, window);
      const tile = scores + <usize>t * tileBytes + (<usize>(from - low) << 4);
      v128.store(sums + (<usize>t << 4), softmaxFour(tile, from, min(row + 4, high), row, window, cap));
    }
    mixBlock(scores, tileBytes, values, output + <usize>block * step, step, headSize, rows, block, low, high, window);
    for (let row = block; row < high; row++) {
      divideRow(output + <usize>row * step, headSize, load<f32>(sums + (<usize>(row - block) << 2)));
    }
  }
}
