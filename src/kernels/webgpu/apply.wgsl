// Quantizes and dequantizes weights with the parameters of their groups, and sums errors.

const VIEWS = 5u;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read> fits: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> output: array<u32>;
@group(0) @binding(5) var<storage, read_write> sums: array<u32>;

/** Weights of a thread. */
const EACH = 8u;
/** Underflow, clipped, three kinds of odd groups, values that are no numbers. */
const COUNTS = 6u;

var<workgroup> maxima: array<vec4<u32>, 256>;
var<workgroup> squares: array<vec4<f32>, 256>;
var<workgroup> counts: array<array<u32, COUNTS>, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let workgroup = id.y * groups.x + id.x;
  let first = workgroup * 256u * EACH + thread;
  // By weight: error, value, error in steps, error where the value is zero.
  var parts: array<vec4<u32>, EACH>;
  var most = vec4<u32>(0u);
  var underflow = 0u;
  var clipped = 0u;
  var noNumbers = 0u;
  var oddities = vec3<u32>(0u);
  for (var k = 0u; k < EACH; k++) {
    let i = first + 256u * k;
    if (i < word(ELEMENTS)) {
      let weight = weights[skip(1u) + i];
      let column = i % word(COLUMNS);
      let group = (i / word(COLUMNS)) * word(GROUPS_PER_ROW) + column / word(GROUP_COLUMNS);
      let fit = fits[skip(2u) / 4u + group];
      if (column % word(GROUP_COLUMNS) == 0u) {
        clipped += fit.w >> MORE_CLIPPED;
        oddities += (vec3<u32>(fit.w) >> vec3<u32>(0u, 1u, 2u)) & vec3<u32>(1u);
      }
      let q = quantizerOf(unpackFit(fit));
      let quantized = quantize(weight, q);
      if (hasFlag(HAS_OUTPUT)) {
        output[skip(3u) + i] = quantized.value;
      }
      var value = quantized.value & MAGNITUDE;
      var error = subtract(quantized.value, weight) & MAGNITUDE;
      // An infinity of a block format times 0 or minus itself.
      if (value > INFINITY) {
        noNumbers++;
        value = 0u;
        error = 0u;
      }
      var stepError = quantized.stepError & MAGNITUDE;
      clipped += u32(quantized.clips);
      if (SAME_WIDTH) {
        stepError = divideBy(error, q.divisor);
      }
      let lost = (quantized.value & MAGNITUDE) == 0u && (weight & MAGNITUDE) != 0u;
      underflow += u32(lost);
      parts[k] = vec4<u32>(error, value, stepError, select(0u, error, lost));
      most = max(most, parts[k]);
    }
  }
  maxima[thread] = most;
  for (var step = 128u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
      maxima[thread] = max(maxima[thread], maxima[thread + step]);
    }
  }
  workgroupBarrier();
  let largest = maxima[0];
  var total = vec4<f32>(0f);
  for (var k = 0u; k < EACH; k++) {
    for (var n = 0u; n < 4u; n++) {
      let x = relative(parts[k][n], largest[n]);
      total[n] += x * x;
    }
  }
  squares[thread] = total;
  counts[thread] = array<u32, COUNTS>(
    underflow,
    clipped,
    oddities.x,
    oddities.y,
    oddities.z,
    noNumbers,
  );
  for (var step = 128u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
      squares[thread] += squares[thread + step];
      for (var n = 0u; n < COUNTS; n++) {
        counts[thread][n] += counts[thread + step][n];
      }
    }
  }
  if (thread == 0u) {
    let at = skip(4u) + workgroup * 16u;
    for (var n = 0u; n < 4u; n++) {
      sums[at + n] = largest[n];
      sums[at + 4u + n] = bitcast<u32>(squares[0][n]);
    }
    for (var n = 0u; n < COUNTS; n++) {
      sums[at + 8u + n] = counts[0][n];
    }
  }
}
