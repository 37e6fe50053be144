// Parameters of groups from their extremes. LANES threads share a group, a power of two.

const VIEWS = 3u;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read_write> fits: array<vec4<u32>>;

var<workgroup> least: array<i32, 256>;
var<workgroup> most: array<i32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let lanes = word(LANES);
  let lane = thread % lanes;
  let group = (id.y * counts.x + id.x) * (256u / lanes) + thread / lanes;
  let present = group < word(GROUPS);
  var lo = 2147483647;
  var hi = -2147483647;
  if (present && !hasFlag(RANGE_IS_GIVEN)) {
    let place = placeOf(group);
    let first = skip(1u) + place.start;
    for (var i = lane; i < place.count; i += lanes) {
      let order = orderOf(weights[first + i]);
      lo = min(lo, order);
      hi = max(hi, order);
    }
  }
  least[thread] = lo;
  most[thread] = hi;
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) {
      least[thread] = min(least[thread], least[thread + step]);
      most[thread] = max(most[thread], most[thread + step]);
    }
  }
  if (present && lane == 0u) {
    let start = startOf(least[thread], most[thread]);
    fits[skip(2u) / 4u + group] = packFit(fitOrUnit(start.range), start.oddities);
  }
}
