// Rows of a tile as each thread reads them from workgroup memory.
const HELD: u32 = 1u;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  multiply_tile(thread, 0u, workgroup.y * workgroups.x + workgroup.x);
}

fn hold_rows(k: u32, block: u32, lane: u32) -> vec4<f32> {
  return x_tile[slot(k, block)];
}

fn held_rows(held: vec4<f32>, i: u32, lane: u32) -> vec4<f32> {
  return held;
}
