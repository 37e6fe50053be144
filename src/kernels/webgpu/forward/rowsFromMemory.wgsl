// Rows of a tile as each thread reads them from workgroup memory when it needs them: it holds none. All inputs of
// a part are one loop; a loop for each of them costs time on a CPU.
const HELD: u32 = DEPTH;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  multiply_tile(thread, 0u, workgroup.y * workgroups.x + workgroup.x);
}

fn hold_rows(k: u32, block: u32, lane: u32) -> vec4<f32> {
  return vec4<f32>(0.0);
}

fn held_rows(held: vec4<f32>, i: u32, k: u32, block: u32, lane: u32) -> vec4<f32> {
  return x_tile[slot(k, block)];
}
