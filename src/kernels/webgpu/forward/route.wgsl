// Rows sent to the experts with the largest logits, of equal ones to the lower number: one workgroup for
// each row. Routes of a row are its experts, i32, then as many weights, f32.
struct Parameters {
  logits_start: u32,
  routes_start: u32,
  rows: u32,
  experts: u32,
  experts_per_row: u32,
  stride: u32,
  is_normalized: u32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> routes: array<u32>;

const NOT_A_NUMBER: u32 = 0x7fc00000u;
const LOWEST: f32 = -3.4e38;
const NONE: u32 = 0xffffffffu;

/// A logit; −∞ is the lowest number.
fn logit_at(at: u32) -> f32 {
  if (bitcast<u32>(logits[at]) == 0xff800000u) {
    return LOWEST;
  }
  return logits[at];
}

/// Not a number, or ∞.
fn is_broken(at: u32) -> bool {
  let bits = bitcast<u32>(logits[at]);
  return (bits & 0x7f800000u) == 0x7f800000u && bits != 0xff800000u;
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
  let start = parameters.logits_start + row * parameters.stride;
  let to = parameters.routes_start + row * 2u * parameters.experts_per_row;
  let weights = to + parameters.experts_per_row;
  var broken = 0.0;
  for (var i = thread; i < parameters.experts; i += WIDTH) {
    broken += select(0.0, 1.0, is_broken(start + i));
  }
  broken = workgroup_sum(thread, broken);
  var last = Place(0.0, NONE);
  var most = 0.0;
  var sum = 0.0;
  for (var chosen = 0u; chosen < parameters.experts_per_row; chosen++) {
    var next = Place(LOWEST, NONE);
    for (var i = thread; i < parameters.experts; i += WIDTH) {
      let value = logit_at(start + i);
      let is_after = chosen == 0u || value < last.value || (value == last.value && i > last.index);
      if (is_after) {
        next = larger(next, Place(value, i));
      }
    }
    last = workgroup_largest(thread, next);
    if (chosen == 0u) {
      most = last.value;
    }
    let weight = exponential(last.value - most);
    sum += weight;
    if (thread == 0u) {
      routes[to + chosen] = last.index;
      routes[weights + chosen] = bitcast<u32>(weight);
    }
  }
  if (parameters.is_normalized == 0u) {
    sum = 0.0;
    for (var i = thread; i < parameters.experts; i += WIDTH) {
      sum += exponential(logit_at(start + i) - most);
    }
    sum = workgroup_sum(thread, sum);
  }
  if (thread != 0u) {
    return;
  }
  for (var chosen = 0u; chosen < parameters.experts_per_row; chosen++) {
    if (broken > 0.0 || most == LOWEST) {
      // Hidden states that are not finite stay so, and choose nothing.
      routes[to + chosen] = chosen;
      routes[weights + chosen] = NOT_A_NUMBER;
    } else {
      routes[weights + chosen] = bitcast<u32>(bitcast<f32>(routes[weights + chosen]) / sum);
    }
  }
}
