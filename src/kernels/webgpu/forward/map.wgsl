// values = values·factor, or factor·tanh(values/factor), in place: one thread for each element.
struct Parameters {
  values_start: u32,
  rows: u32,
  columns: u32,
  stride: u32,
  factor: f32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

override IS_CAP: bool = false;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let number = (workgroup.y * workgroups.x + workgroup.x) * 256u + thread;
  let row = number / parameters.columns;
  if (row >= parameters.rows) {
    return;
  }
  let at = parameters.values_start + row * parameters.stride + number % parameters.columns;
  if (IS_CAP) {
    values[at] = parameters.factor * hyperbolic_tangent(values[at] / parameters.factor);
  } else {
    values[at] *= parameters.factor;
  }
}
