// Replaces NaN and ±Inf by 0, told by their bits, and sums what is known about weights before any format.

const VIEWS = 2u;
@group(0) @binding(1) var<storage, read_write> weights: array<u32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;

const EACH = 8u;

var<workgroup> ends: array<vec2<i32>, 256>;
var<workgroup> firsts: array<u32, 256>;
var<workgroup> counts: array<vec2<u32>, 256>;
var<workgroup> squares: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let workgroup = id.y * groups.x + id.x;
  let start = workgroup * 256u * EACH + thread;
  var mine: array<u32, EACH>;
  var least = 2147483647;
  var most = -2147483647;
  var first = 0xffffffffu;
  var found = vec2<u32>(0u);
  for (var k = 0u; k < EACH; k++) {
    let i = start + 256u * k;
    if (i < word(1u)) {
      let at = skip(0u) + i;
      var weight = weights[at];
      if ((weight & MAGNITUDE) >= INFINITY) {
        weight = 0u;
        weights[at] = 0u;
        first = min(first, i);
        found.x++;
      } else if ((weight & MAGNITUDE) == 0u) {
        found.y++;
      }
      mine[k] = weight & MAGNITUDE;
      least = min(least, orderOf(weight));
      most = max(most, orderOf(weight));
    }
  }
  ends[thread] = vec2<i32>(least, most);
  firsts[thread] = first;
  counts[thread] = found;
  for (var half = 128u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      let other = thread + half;
      ends[thread] = vec2<i32>(
        min(ends[thread].x, ends[other].x),
        max(ends[thread].y, ends[other].y),
      );
      firsts[thread] = min(firsts[thread], firsts[other]);
      counts[thread] += counts[other];
    }
  }
  workgroupBarrier();
  let largest = u32(max(abs(ends[0].x), abs(ends[0].y)));
  var sum = 0f;
  for (var k = 0u; k < EACH; k++) {
    let x = relative(mine[k], largest);
    sum += x * x;
  }
  squares[thread] = sum;
  for (var half = 128u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      squares[thread] += squares[thread + half];
    }
  }
  if (thread == 0u && start < word(1u)) {
    let at = skip(1u) + workgroup * 8u;
    results[at] = counts[0].x;
    results[at + 1u] = firsts[0];
    results[at + 2u] = counts[0].y;
    results[at + 3u] = ofOrder(ends[0].x);
    results[at + 4u] = ofOrder(ends[0].y);
    results[at + 5u] = bitcast<u32>(squares[0]);
  }
}
