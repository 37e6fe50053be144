// The same tokens' logits of a base model and of another, taken into the other's sums of both
// divergences: one workgroup for each row.
struct Parameters {
  base_start: u32,
  logits_start: u32,
  base_sums_start: u32,
  sums_start: u32,
  rows: u32,
  columns: u32,
  base_stride: u32,
  stride: u32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> base: array<f32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> base_sums: array<u32>;
@group(0) @binding(4) var<storage, read_write> sums: array<u32>;

/// What a logit counts that is not a number, beside those that are −∞: more than a vocabulary has.
const MANY: f32 = 1.0e20;

/// What a pair of logits adds to Σ exp(one − largest)·(one − other), and whether that is infinite or no number.
struct Term {
  value: f32,
  broken: f32,
}

fn term_of(one: f32, other: f32, largest: f32) -> Term {
  // A token that the one excludes takes no part, whatever the other model says.
  if (!(one > LOWEST)) {
    return Term(0.0, 0.0);
  }
  let bits = bitcast<u32>(other);
  if (is_infinite_or_none(bits)) {
    return Term(0.0, select(MANY, 1.0, bits == MINUS_INFINITY));
  }
  return Term(exponential(one - largest) * (one - other), 0.0);
}

/// Takes a tile's sum into the running sum and the largest logit that it refers to.
fn take(sum_at: u32, largest_at: u32, largest: f32, tile: f32, broken: f32) {
  if (largest <= LOWEST) {
    return;
  }
  let before = sums[sum_at];
  if (broken >= MANY) {
    sums[sum_at] = NOT_A_NUMBER;
  } else if (!is_infinite_or_none(before)) {
    let factor = exponential(bitcast<f32>(sums[largest_at]) - largest);
    let sum = tile + bitcast<f32>(before) * factor;
    sums[sum_at] = select(bitcast<u32>(sum), INFINITY, broken > 0.0);
  }
  sums[largest_at] = bitcast<u32>(largest);
}

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
  let at = parameters.sums_start + row * 8u;
  let base_largest = bitcast<f32>(base_sums[parameters.base_sums_start + row * 8u + MAX]);
  let largest = bitcast<f32>(sums[at + MAX]);
  let base_row = parameters.base_start + row * parameters.base_stride;
  let start = parameters.logits_start + row * parameters.stride;
  var sum = 0.0;
  var broken = 0.0;
  var reverse = 0.0;
  var reverse_broken = 0.0;
  for (var i = thread; i < parameters.columns; i += WIDTH) {
    let one = base[base_row + i];
    let other = logits[start + i];
    let forwards = term_of(one, other, base_largest);
    let backwards = term_of(other, one, largest);
    sum += forwards.value;
    broken += forwards.broken;
    reverse += backwards.value;
    reverse_broken += backwards.broken;
  }
  sum = workgroup_sum(thread, sum);
  broken = workgroup_sum(thread, broken);
  reverse = workgroup_sum(thread, reverse);
  reverse_broken = workgroup_sum(thread, reverse_broken);
  if (thread != 0u) {
    return;
  }
  take(at + DIVERGENCE, at + DIVERGENCE_MAX, base_largest, sum, broken);
  take(at + REVERSE, at + REVERSE_MAX, largest, reverse, reverse_broken);
}
