// Products output[m, n] = Σ x[m, k]·w[n, k] + bias[n] in tiles of TILE × TILE outputs and DEPTH inputs at a
// time. Parts of a tile are loaded as blocks of 4 rows × 4 inputs, one for each of the 256 threads, and lie
// in workgroup memory as vectors of 4 rows. TILE · DEPTH is 2048.
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const BLOCKS: u32 = TILE / 4u;
const DEPTH_BLOCKS: u32 = DEPTH / 4u;

var<workgroup> x_tile: array<vec4<f32>, 512>;
var<workgroup> w_tile: array<vec4<f32>, 512>;

/// Where 4 rows of a tile lie. Places are permuted so that threads that store side by side meet no others' bank.
fn slot(depth: u32, block: u32) -> u32 {
  return depth * BLOCKS + (block ^ ((depth / 4u) * (8u / DEPTH_BLOCKS)));
}

/// First row and first output of a workgroup's tile; rows go first, so that they share weights in a cache.
fn tile_origin(workgroup: u32) -> vec2<u32> {
  let row_tiles = (parameters.rows + TILE - 1u) / TILE;
  return vec2<u32>(workgroup % row_tiles, workgroup / row_tiles) * TILE;
}

/// A thread's block of a tile, transposed: a vector of 4 rows for each of 4 inputs.
fn load_block(thread: u32, origin: vec2<u32>, depth: u32) -> mat4x4<f32> {
  let part = thread % 128u;
  let k = depth + (part % DEPTH_BLOCKS) * 4u;
  let block = (part / DEPTH_BLOCKS) * 4u;
  if (thread < 128u) {
    let row = origin.x + block;
    return transpose(mat4x4<f32>(
      load_inputs(row, k), load_inputs(row + 1u, k), load_inputs(row + 2u, k), load_inputs(row + 3u, k)));
  }
  let output = origin.y + block;
  return transpose(mat4x4<f32>(
    load_weights(output, k), load_weights(output + 1u, k), load_weights(output + 2u, k),
    load_weights(output + 3u, k)));
}

fn store_block(thread: u32, block: mat4x4<f32>) {
  let part = thread % 128u;
  let depth = (part % DEPTH_BLOCKS) * 4u;
  let row = part / DEPTH_BLOCKS;
  if (thread < 128u) {
    x_tile[slot(depth, row)] = block[0];
    x_tile[slot(depth + 1u, row)] = block[1];
    x_tile[slot(depth + 2u, row)] = block[2];
    x_tile[slot(depth + 3u, row)] = block[3];
  } else {
    w_tile[slot(depth, row)] = block[0];
    w_tile[slot(depth + 1u, row)] = block[1];
    w_tile[slot(depth + 2u, row)] = block[2];
    w_tile[slot(depth + 3u, row)] = block[3];
  }
}

fn write_four(row: u32, output: u32, sums: vec4<f32>) {
  if (row >= parameters.rows) {
    return;
  }
  let at = parameters.y_start + row * parameters.y_stride + output;
  for (var i = 0u; i < 4u && output + i < parameters.outputs; i++) {
    var value = sums[i];
    if (parameters.has_bias != 0u) {
      value += bias[parameters.bias_start + output + i];
    }
    if (parameters.accumulates != 0u) {
      value += y[at + i];
    }
    y[at + i] = value;
  }
}
