// Running sums as they start: one thread for each row.
struct Parameters {
  sums_start: u32,
  rows: u32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let row = (workgroup.y * workgroups.x + workgroup.x) * 256u + thread;
  if (row >= parameters.rows) {
    return;
  }
  for (var i = 0u; i < 8u; i++) {
    sums[parameters.sums_start + row * 8u + i] =
      select(0u, bitcast<u32>(LOWEST), i == MAX || i == DIVERGENCE_MAX || i == REVERSE_MAX);
  }
}
