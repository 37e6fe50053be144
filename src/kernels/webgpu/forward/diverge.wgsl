// The same tokens' logits of a base model and of another, taken into the other's divergence sums: one
// workgroup for each row.
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
  let largest = bitcast<f32>(base_sums[parameters.base_sums_start + row * 8u + MAX]);
  let base_row = parameters.base_start + row * parameters.base_stride;
  let start = parameters.logits_start + row * parameters.stride;
  var sum = 0.0;
  var broken = 0.0;
  for (var i = thread; i < parameters.columns; i += WIDTH) {
    let logit = base[base_row + i];
    // A token that the base excludes takes no part, whatever the other model says.
    if (logit > LOWEST) {
      let other = logits[start + i];
      let bits = bitcast<u32>(other);
      if (is_infinite_or_none(bits)) {
        broken += select(MANY, 1.0, bits == MINUS_INFINITY);
      } else {
        sum += exponential(logit - largest) * (logit - other);
      }
    }
  }
  sum = workgroup_sum(thread, sum);
  broken = workgroup_sum(thread, broken);
  if (thread != 0u || largest <= LOWEST) {
    return;
  }
  let at = parameters.sums_start + row * 8u;
  let factor = exponential(bitcast<f32>(sums[at + DIVERGENCE_MAX]) - largest);
  let before = sums[at + DIVERGENCE];
  if (broken >= MANY) {
    sums[at + DIVERGENCE] = NOT_A_NUMBER;
  } else if (!is_infinite_or_none(before)) {
    sum += bitcast<f32>(before) * factor;
    sums[at + DIVERGENCE] = select(bitcast<u32>(sum), INFINITY, broken > 0.0);
  }
  sums[at + DIVERGENCE_MAX] = bitcast<u32>(largest);
}
