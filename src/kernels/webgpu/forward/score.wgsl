// Logits of some tokens, taken into running sums of their rows: one workgroup for each row.
struct Parameters {
  logits_start: u32,
  targets_start: u32,
  sums_start: u32,
  rows: u32,
  columns: u32,
  stride: u32,
  first_token: u32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read_write> sums: array<u32>;

/// More than a sum of probabilities can be: a logit is ∞ or not a number.
const BROKEN: f32 = 1.0e30;

@compute @workgroup_size(WIDTH)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  if (row >= parameters.rows) {
    return;
  }
  let start = parameters.logits_start + row * parameters.stride;
  let at = parameters.sums_start + row * 8u;
  let known = Place(bitcast<f32>(sums[at + MAX]), sums[at + TOP]);
  var best = known;
  for (var i = thread; i < parameters.columns; i += WIDTH) {
    best = larger(best, Place(logits[start + i], parameters.first_token + i));
  }
  best = workgroup_largest(thread, best);
  var sum = 0.0;
  for (var i = thread; i < parameters.columns; i += WIDTH) {
    let logit = logits[start + i];
    let bits = bitcast<u32>(logit);
    let is_broken = is_infinite_or_none(bits) && bits != MINUS_INFINITY;
    sum += select(exponential(logit - best.value), BROKEN, is_broken);
  }
  sum = workgroup_sum(thread, sum);
  if (thread != 0u) {
    return;
  }
  let before = sums[at + SUM];
  if (sum >= BROKEN || is_infinite_or_none(before)) {
    sums[at + SUM] = NOT_A_NUMBER;
    return;
  }
  if (best.value <= LOWEST) {
    return;
  }
  sums[at + MAX] = bitcast<u32>(best.value);
  sums[at + TOP] = best.index;
  sums[at + SUM] = bitcast<u32>(bitcast<f32>(before) * exponential(known.value - best.value) + sum);
  let wanted = u32(targets[parameters.targets_start + row]) - parameters.first_token;
  if (wanted < parameters.columns) {
    sums[at + TARGET] = bitcast<u32>(logits[start + wanted]);
  }
}
