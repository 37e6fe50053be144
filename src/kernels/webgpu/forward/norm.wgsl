// Norms of runs of `columns` floats, one workgroup each.
struct Parameters {
  results_start: u32,
  weight_start: u32,
  bias_start: u32,
  source_start: u32,
  rows: u32,
  columns: u32,
  /// Runs in a row, and floats from one to the next.
  heads: u32,
  head_stride: u32,
  source_stride: u32,
  results_stride: u32,
  /// Where the results begin in their view; with IN_PLACE also where the source does.
  results_at: u32,
  source_at: u32,
  /// Floats from one head's weights to the next head's.
  weight_stride: u32,
  epsilon: f32,
  weight_offset: f32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> source: array<f32>;

override IS_CENTERED: bool = false;
override IN_PLACE: bool = false;
override HAS_WEIGHT: bool = false;
override HAS_BIAS: bool = false;

fn value_at(at: u32) -> f32 {
  if (IN_PLACE) {
    return results[parameters.results_start + parameters.source_at + at];
  }
  return source[parameters.source_start + at];
}

@compute @workgroup_size(WIDTH)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let number = workgroup.y * workgroups.x + workgroup.x;
  let row = number / parameters.heads;
  let head = number % parameters.heads;
  if (row >= parameters.rows) {
    return;
  }
  let columns = parameters.columns;
  let start = row * parameters.source_stride + head * parameters.head_stride;
  var mean = 0.0;
  if (IS_CENTERED) {
    var sum = 0.0;
    for (var i = thread; i < columns; i += WIDTH) {
      sum += value_at(start + i);
    }
    mean = workgroup_sum(thread, sum) / f32(columns);
  }
  var squares = 0.0;
  for (var i = thread; i < columns; i += WIDTH) {
    let value = value_at(start + i) - mean;
    squares += value * value;
  }
  let variance = workgroup_sum(thread, squares) / f32(columns);
  let factor = 1.0 / sqrt(variance + parameters.epsilon);
  let to = parameters.results_start + parameters.results_at + row * parameters.results_stride
    + head * parameters.head_stride;
  let weights = parameters.weight_start + head * parameters.weight_stride;
  for (var i = thread; i < columns; i += WIDTH) {
    var value = (value_at(start + i) - mean) * factor;
    if (HAS_WEIGHT) {
      value *= weight[weights + i] + parameters.weight_offset;
    }
    if (HAS_BIAS) {
      value += bias[parameters.bias_start + head * parameters.weight_stride + i];
    }
    results[to + i] = value;
  }
}
