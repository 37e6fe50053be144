// Counts codes of 16 bits, two to a word.

const VIEWS = 2u;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> tallies: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let pair = (id.y * counts.x + id.x) * 256u + thread;
  if (2u * pair < word(1u)) {
    let codes = source[skip(0u) + pair];
    atomicAdd(&tallies[skip(1u) + (codes & 0xffffu)], 1u);
    if (2u * pair + 1u < word(1u)) {
      atomicAdd(&tallies[skip(1u) + (codes >> 16u)], 1u);
    }
  }
}
