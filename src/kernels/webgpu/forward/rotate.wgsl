// Rotations of pairs, in place: one thread for each pair.
struct Parameters {
  values_start: u32,
  cos_start: u32,
  sin_start: u32,
  rows: u32,
  heads: u32,
  stride: u32,
  head_stride: u32,
  /// Pairs of a head.
  pairs: u32,
  is_interleaved: u32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read> cosines: array<f32>;
@group(0) @binding(3) var<storage, read> sines: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let number = (workgroup.y * workgroups.x + workgroup.x) * 256u + thread;
  let pairs = parameters.pairs;
  let pair = number % pairs;
  let head = (number / pairs) % parameters.heads;
  let row = number / pairs / parameters.heads;
  if (row >= parameters.rows) {
    return;
  }
  let at = parameters.values_start + row * parameters.stride + head * parameters.head_stride;
  var first = at + pair;
  var second = first + pairs;
  if (parameters.is_interleaved != 0u) {
    first = at + 2u * pair;
    second = first + 1u;
  }
  let c = cosines[parameters.cos_start + row * pairs + pair];
  let s = sines[parameters.sin_start + row * pairs + pair];
  let x = values[first];
  let y = values[second];
  values[first] = x * c - y * s;
  values[second] = y * c + x * s;
}
