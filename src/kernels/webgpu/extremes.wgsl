// Largest positive weight and magnitude of the most negative one of each group, 0 where there is none.

const VIEWS = 2u;
@group(0) @binding(1) var<storage, read> weights: array<u32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;

var<workgroup> ends: array<vec2<u32>, 256>;

// Parameters: columns, columns of a group, groups of a row, groups, threads that share a group.

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let columns = word(1u);
  let lanes = word(5u);
  let lane = thread % lanes;
  let group = (id.y * counts.x + id.x) * (256u / lanes) + thread / lanes;
  let isPresent = group < word(4u);
  var most = vec2<u32>(0u);
  if (isPresent) {
    let column = (group % word(3u)) * word(2u);
    let first = skip(0u) + group / word(3u) * columns + column;
    let count = min(word(2u), columns - column);
    for (var i = lane; i < count; i += lanes) {
      let weight = weights[first + i];
      let magnitude = weight & MAGNITUDE;
      most = max(most, select(vec2<u32>(magnitude, 0u), vec2<u32>(0u, magnitude), (weight & SIGN) != 0u));
    }
  }
  ends[thread] = most;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      ends[thread] = max(ends[thread], ends[thread + half]);
    }
  }
  if (isPresent && lane == 0u) {
    results[skip(1u) + group] = ends[thread].x;
    results[skip(1u) + word(4u) + group] = ends[thread].y;
  }
}
