// Searches a better range than the extremes of a group: `searchRange` of the reference. A workgroup sees
// one group. All candidates are compared by sums in f32, whose errors are bounded; only those that might
// still be the best are summed as the reference does it, in f64.

const VIEWS = 4u;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read_write> fits: array<vec4<u32>>;
/** Factors of both searches, see `searchFactors`. */
@group(0) @binding(4) var<storage, read> factors: array<u32>;

/** Candidates by search: shrinking both ends (GPTQ), or each end by itself (BitDistiller). */
const SHRINK = 1u;
const SHRINK_STEPS = 80u;
const CLIP_STEPS = 10u;

var<workgroup> least: array<i32, 256>;
var<workgroup> most: array<i32, 256>;
var<workgroup> sums: array<f32, 256>;
var<workgroup> openCandidates: array<u32, 128>;
var<workgroup> candidateFits: array<vec4<u32>, 128>;
var<workgroup> openCount: atomic<u32>;
var<workgroup> exactSums: array<Double, 256>;

fn candidateCount() -> u32 {
  return select(CLIP_STEPS * CLIP_STEPS, SHRINK_STEPS, word(SEARCH) == SHRINK);
}

fn candidateRange(candidate: u32, range: Range) -> Range {
  var lo = candidate;
  var hi = candidate;
  if (word(SEARCH) != SHRINK) {
    lo = SHRINK_STEPS + candidate % CLIP_STEPS;
    hi = SHRINK_STEPS + candidate / CLIP_STEPS;
  }
  return Range(multiply(factors[lo], range.lo), multiply(factors[hi], range.hi));
}

/** Candidates that are the same as an earlier one. */
fn isRepeated(candidate: u32, range: Range) -> bool {
  let noLo = (range.lo & MAGNITUDE) == 0u;
  let noHi = (range.hi & MAGNITUDE) == 0u;
  if (noLo && noHi) {
    return candidate > 0u;
  }
  if (word(SEARCH) == SHRINK) {
    return false;
  }
  return (noLo && candidate % CLIP_STEPS > 0u) || (noHi && candidate >= CLIP_STEPS);
}

fn errorOf(weight: u32, q: Quantizer) -> u32 {
  return subtract(valueOf(weight, q), weight);
}

/** Errors from 2^40 on are left to the exact sums: estimates are to stay finite. */
const WILD = 167u;
/** Sums below are not told apart in f32. */
const TINY = 0x1p-70f;
const HUGE = 0x1p127f;

/** A sum in f32, which is negative where there are wild errors, or in f64. */
struct Sum {
  estimate: f32,
  exact: Double,
}

/** Adds the errors of every `step`th weight. */
fn sumErrors(q: Quantizer, start: u32, end: u32, step: u32, exactly: bool) -> Sum {
  let shrinks = word(SEARCH) == SHRINK;
  var sum = Sum(0f, ZERO_DOUBLE);
  for (var i = start; i < end; i += step) {
    let error = errorOf(weights[i], q);
    var power = 0u;
    if (shrinks) {
      power = powerTwoPointFour(error);
    }
    if (exactly) {
      var term: Double;
      if (shrinks) {
        term = doubleOf(power);
      } else {
        term = squareOf(error);
      }
      sum.exact = addDoubles(sum.exact, term);
    } else if (exponentField(error) >= WILD) {
      sum.estimate = -0x1p120f;
    } else if (shrinks) {
      sum.estimate += bitcast<f32>(power);
    } else {
      sum.estimate += bitcast<f32>(error) * bitcast<f32>(error);
    }
  }
  return sum;
}

/** Between which bounds the sum of a candidate lies. */
fn boundsOf(candidate: u32, candidates: u32, length: u32) -> vec2<f32> {
  var sum = 0f;
  var isWild = false;
  for (var at = candidate; at < 256u / candidates * candidates; at += candidates) {
    isWild = isWild || sums[at] < 0f;
    sum += sums[at];
  }
  if (isWild) {
    return vec2<f32>(-1f, HUGE);
  }
  if (sum < TINY) {
    return vec2<f32>(-1f, 2f * TINY);
  }
  // Each addition may be off by 2^−24, and so may each square.
  let doubt = sum * f32(length + 16u) * 0x1p-23f;
  return vec2<f32>(sum - doubt, sum + doubt);
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  // A workgroup too many repeats the last group.
  let group = min(id.y * counts.x + id.x, word(GROUPS) - 1u);
  let place = placeOf(group);
  let first = skip(1u) + place.start;
  var lo = 2147483647;
  var hi = -2147483647;
  for (var i = thread; i < place.count; i += 256u) {
    let order = orderOf(weights[first + i]);
    lo = min(lo, order);
    hi = max(hi, order);
  }
  least[thread] = lo;
  most[thread] = hi;
  for (var step = 128u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
      least[thread] = min(least[thread], least[thread + step]);
      most[thread] = max(most[thread], most[thread + step]);
    }
  }
  workgroupBarrier();
  let start = startOf(least[0], most[0]);
  let candidates = candidateCount();
  let segments = 256u / candidates;
  let length = (place.count + segments - 1u) / segments;

  // In the first round all candidates are estimated, a thread for each part of the group; then those that
  // are still open are summed exactly, 64 in a round, a thread for each lane of the sum.
  var candidate = thread % candidates;
  let segment = thread / candidates;
  var isBusy = segment < segments && !isRepeated(candidate, start.range);
  var begin = first + min(segment * length, place.count);
  var end = first + min((segment + 1u) * length, place.count);
  var step = 1u;
  if (isBusy && segment == 0u) {
    let fit = fitOrUnit(candidateRange(candidate, start.range));
    candidateFits[candidate] = packFit(fit, start.oddities);
  }
  workgroupBarrier();
  var best = 0u;
  var bestSum = INFINITE_DOUBLE;
  var open = 0u;
  for (var done = 0u; ; done += 64u) {
    var sum = Sum(0f, ZERO_DOUBLE);
    if (isBusy) {
      let q = quantizerOf(unpackFit(candidateFits[candidate]));
      sum = sumErrors(q, begin, end, step, step > 1u);
    }
    sums[thread] = sum.estimate;
    exactSums[thread] = sum.exact;
    workgroupBarrier();
    if (done == 0u) {
      var bounds = vec2<f32>(HUGE, HUGE);
      if (isBusy && segment == 0u) {
        bounds = boundsOf(candidate, candidates, length);
      }
      workgroupBarrier();
      sums[thread] = bounds.y;
      for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
          sums[thread] = min(sums[thread], sums[thread + half]);
        }
      }
      workgroupBarrier();
      if (isBusy && segment == 0u && bounds.x <= sums[0]) {
        openCandidates[atomicAdd(&openCount, 1u)] = candidate;
      }
      workgroupBarrier();
      // The same in all threads, which a compiler cannot see by itself.
      open = workgroupUniformLoad(&openCount);
      best = openCandidates[0];
      if (open == 1u) {
        break;
      }
      best = 0u;
    } else {
      if (thread == 0u) {
        for (var i = 0u; i < min(64u, open + 64u - done); i++) {
          let total = addDoubles(
            addDoubles(exactSums[4u * i], exactSums[4u * i + 2u]),
            addDoubles(exactSums[4u * i + 1u], exactSums[4u * i + 3u]),
          );
          let other = openCandidates[done - 64u + i];
          // Of equal sums the first counts; the list is in no order.
          if (isLess(total, bestSum) || (!isLess(bestSum, total) && other < best)) {
            best = other;
            bestSum = total;
          }
        }
      }
      workgroupBarrier();
      if (done >= open) {
        break;
      }
    }
    isBusy = done + thread / 4u < open;
    candidate = openCandidates[min(done + thread / 4u, open - 1u)];
    begin = first + thread % 4u;
    end = first + place.count;
    step = 4u;
  }
  if (thread == 0u) {
    fits[skip(2u) / 4u + group] = candidateFits[best];
  }
}
