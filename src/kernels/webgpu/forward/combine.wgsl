// Rows copied or added to others, which an index may choose: one thread for each element.
struct Parameters {
  results_start: u32,
  source_start: u32,
  indices_start: u32,
  weights_start: u32,
  rows: u32,
  columns: u32,
  results_stride: u32,
  source_stride: u32,
  /// Rows that indices may name: the first that is bound, and how many are.
  first: u32,
  count: u32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read> indices: array<i32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;

override ADDS: bool = false;
override GATHERS: bool = false;
override SCATTERS: bool = false;
override HAS_WEIGHTS: bool = false;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let number = (workgroup.y * workgroups.x + workgroup.x) * 256u + thread;
  let row = number / parameters.columns;
  let column = number % parameters.columns;
  if (row >= parameters.rows) {
    return;
  }
  var start = row;
  var to = row;
  if (GATHERS || SCATTERS) {
    // What lies before wraps around, and so lies behind.
    let named = u32(indices[parameters.indices_start + row]) - parameters.first;
    if (named >= parameters.count) {
      return;
    }
    if (GATHERS) {
      start = named;
    } else {
      to = named;
    }
  }
  var value = source[parameters.source_start + start * parameters.source_stride + column];
  if (HAS_WEIGHTS) {
    value *= weights[parameters.weights_start + row];
  }
  let at = parameters.results_start + to * parameters.results_stride + column;
  if (ADDS) {
    value += results[at];
  }
  results[at] = value;
}
