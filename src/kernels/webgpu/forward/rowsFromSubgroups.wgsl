// Rows of a tile as threads side by side, which need the same ones, pass them to one another: each reads those of
// another input from workgroup memory.
enable subgroups;

/// Threads that share rows: all subgroups consist of runs of so many. A divisor of 16.
override HELD: u32 = 4u;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  multiply_tile(thread, lane, workgroup.y * workgroups.x + workgroup.x);
}

/// Four rows for input k + i, where i is a thread's place among those that share them.
fn hold_rows(k: u32, block: u32, lane: u32) -> vec4<f32> {
  return x_tile[slot(k + lane % HELD, block)];
}

/// The rows that the thread in place i holds.
fn held_rows(held: vec4<f32>, i: u32, k: u32, block: u32, lane: u32) -> vec4<f32> {
  return subgroupShuffle(held, lane - lane % HELD + i);
}
