// Rows rounded to levels times a scale, one workgroup each. Precedes exact.wgsl and rounding.wgsl.
const VIEWS = 2u;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;

const ROWS = 1u;
const COLUMNS = 2u;
const SOURCE_STRIDE = 3u;
const RESULTS_STRIDE = 4u;
const LEVELS = 5u;
const HAS_SCALE = 9u;
const SCALE = 10u;

/// Bits of a row's largest magnitude; those of NaN are above those of infinity.
var<workgroup> most: atomic<u32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  if (row >= word(ROWS)) {
    return;
  }
  let columns = word(COLUMNS);
  let start = skip(1u) + row * word(SOURCE_STRIDE);
  let to = skip(0u) + row * word(RESULTS_STRIDE);
  let format = Minifloat(
    bitcast<i32>(word(LEVELS)), bitcast<i32>(word(LEVELS + 1u)), word(LEVELS + 2u), word(LEVELS + 3u),
  );
  var range = 0u;
  for (var i = thread; i < columns; i += 64u) {
    range = max(range, source[start + i] & MAGNITUDE);
  }
  atomicMax(&most, range);
  workgroupBarrier();
  range = atomicLoad(&most);
  let hasScale = word(HAS_SCALE) != 0u;
  let isFinite = hasScale || range < INFINITY;
  var scale = word(SCALE);
  if (!hasScale && isFinite) {
    scale = divide(range, format.largest);
  }
  let divisor = divisorOf(scale);
  for (var i = thread; i < columns; i += 64u) {
    let x = source[start + i];
    var value = NOT_A_NUMBER;
    if (isFinite && scale == 0u) {
      value = 0u;
    } else if (isFinite && (x & MAGNITUDE) <= INFINITY) {
      value = multiply(roundToMinifloat(format, divideBy(x, divisor)), scale);
    }
    results[to + i] = value;
  }
}
