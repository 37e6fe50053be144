// Causal attention of one head and 64 positions per workgroup, over 32 keys at a time with a running
// soft-max. Each of 16 × 16 threads has 4 positions; of the scores the keys x and x + 16, of the output
// 4 elements in each run of 64.
struct Parameters {
  queries_start: u32,
  keys_start: u32,
  values_start: u32,
  results_start: u32,
  /// Position of the first row.
  first: u32,
  rows: u32,
  heads: u32,
  /// Heads that share keys and values.
  sharing: u32,
  head_size: u32,
  window: u32,
  queries_stride: u32,
  query_stride: u32,
  keys_stride: u32,
  key_stride: u32,
  values_stride: u32,
  value_stride: u32,
  results_stride: u32,
  scale: f32,
  soft_cap: f32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(4) var<storage, read_write> results: array<f32>;

/// Runs of 64 elements in a head, rounded up.
override RUNS: u32 = 4u;
override HAS_CAP: bool = false;

const POSITIONS: u32 = 64u;
const KEYS: u32 = 32u;
/// Elements of queries and keys that are in workgroup memory at once, in vectors of 4.
const VECTORS: u32 = 8u;
const KEY_PART: u32 = 512u;
/// What a position scores that is not seen.
const LOWEST: f32 = -1.0e30;

// First queries [8][64] and keys [8][32]; then weights [32 keys][16 × 4 positions] and, behind them, first
// maxima [16][16 × 4 positions], then values [32 keys][16].
var<workgroup> tile: array<vec4<f32>, 1024>;

alias Mixed = array<vec4<f32>, 4>;

fn weight_of(score: vec4<f32>, largest: vec4<f32>, seen: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(0.0), exp(max(score - largest, vec4<f32>(-87.0))), seen);
}

fn finish_scores(products: vec4<f32>) -> vec4<f32> {
  let scores = products * parameters.scale;
  if (!HAS_CAP) {
    return scores;
  }
  let y = scores / parameters.soft_cap;
  return parameters.soft_cap * vec4<f32>(
    hyperbolic_tangent(y.x), hyperbolic_tangent(y.y), hyperbolic_tangent(y.z), hyperbolic_tangent(y.w));
}

/// Which of 4 positions see a key.
fn sees(positions: vec4<u32>, key: u32) -> vec4<bool> {
  let keys = vec4<u32>(key);
  if (parameters.window == 0u) {
    return keys <= positions;
  }
  return (keys <= positions) & (keys + parameters.window > positions);
}

/// mixed = mixed·factor + weights·values of one run of 64 elements.
fn mix(run: u32, thread: u32, first_key: u32, values_at: u32, factor: vec4<f32>, mixed: ptr<function, Mixed>) {
  let x = thread % 16u;
  let y = thread / 16u;
  workgroupBarrier();
  for (var i = thread; i < KEYS * 16u; i += 256u) {
    let key = first_key + i / 16u;
    var value = vec4<f32>(0.0);
    if (key < parameters.first + parameters.rows) {
      value = load_values(values_at + key * parameters.values_stride, run * 64u + (i % 16u) * 4u);
    }
    tile[KEY_PART + i] = value;
  }
  workgroupBarrier();
  var m0 = (*mixed)[0] * factor.x;
  var m1 = (*mixed)[1] * factor.y;
  var m2 = (*mixed)[2] * factor.z;
  var m3 = (*mixed)[3] * factor.w;
  for (var key = 0u; key < KEYS; key++) {
    let weights = tile[key * 16u + y];
    let value = tile[KEY_PART + key * 16u + x];
    m0 += weights.x * value;
    m1 += weights.y * value;
    m2 += weights.z * value;
    m3 += weights.w * value;
  }
  *mixed = Mixed(m0, m1, m2, m3);
}

fn write_run(run: u32, x: u32, row: u32, head: u32, mixed: Mixed, sums: vec4<f32>) {
  let quotients = Mixed(
    mixed[0] / sums.x, mixed[1] / sums.y, mixed[2] / sums.z, mixed[3] / sums.w);
  for (var i = 0u; i < 4u; i++) {
    if (row + i >= parameters.rows) {
      return;
    }
    let at = parameters.results_start + (row + i) * parameters.results_stride
      + head * parameters.head_size;
    for (var j = 0u; j < 4u; j++) {
      let element = run * 64u + x * 4u + j;
      if (element < parameters.head_size) {
        results[at + element] = quotients[i][j];
      }
    }
  }
}

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let number = workgroup.y * workgroups.x + workgroup.x;
  let parts = (parameters.rows + POSITIONS - 1u) / POSITIONS;
  if (number >= parts * parameters.heads) {
    return;
  }
  let head = number % parameters.heads;
  // The last positions have most to do and come first.
  let first_row = (parts - 1u - number / parameters.heads) * POSITIONS;
  let shared_head = head / parameters.sharing;
  let queries_at = parameters.queries_start + head * parameters.query_stride;
  let keys_at = parameters.keys_start + shared_head * parameters.key_stride;
  let values_at = parameters.values_start + shared_head * parameters.value_stride;
  let x = thread % 16u;
  let y = thread / 16u;
  let first_position = parameters.first + first_row;
  let positions = first_position + y * 4u + vec4<u32>(0u, 1u, 2u, 3u);
  let end = min(first_position + POSITIONS, parameters.first + parameters.rows);
  var start = 0u;
  if (parameters.window > 0u && first_position >= parameters.window) {
    start = first_position + 1u - parameters.window;
  }

  var largest = vec4<f32>(LOWEST);
  var sums = vec4<f32>(0.0);
  var mixed0: Mixed;
  var mixed1: Mixed;
  var mixed2: Mixed;
  var mixed3: Mixed;
  for (var first_key = start; first_key < end; first_key += KEYS) {
    var a = vec4<f32>(0.0);
    var b = vec4<f32>(0.0);
    for (var element = 0u; element < parameters.head_size; element += 4u * VECTORS) {
      workgroupBarrier();
      for (var i = thread; i < POSITIONS * VECTORS; i += 256u) {
        let row = first_row + i / VECTORS;
        var query = vec4<f32>(0.0);
        if (row < parameters.rows) {
          query = load_queries(queries_at + row * parameters.queries_stride, element + (i % VECTORS) * 4u);
        }
        tile[(i % VECTORS) * POSITIONS + i / VECTORS] = query;
      }
      let key = first_key + thread / VECTORS;
      var loaded = vec4<f32>(0.0);
      if (key < end) {
        loaded = load_keys(keys_at + key * parameters.keys_stride, element + (thread % VECTORS) * 4u);
      }
      tile[KEY_PART + (thread % VECTORS) * KEYS + thread / VECTORS] = loaded;
      workgroupBarrier();
      for (var i = 0u; i < VECTORS; i++) {
        let q0 = tile[i * POSITIONS + y * 4u];
        let q1 = tile[i * POSITIONS + y * 4u + 1u];
        let q2 = tile[i * POSITIONS + y * 4u + 2u];
        let q3 = tile[i * POSITIONS + y * 4u + 3u];
        let k0 = tile[KEY_PART + i * KEYS + x];
        let k1 = tile[KEY_PART + i * KEYS + x + 16u];
        a += vec4<f32>(dot(q0, k0), dot(q1, k0), dot(q2, k0), dot(q3, k0));
        b += vec4<f32>(dot(q0, k1), dot(q1, k1), dot(q2, k1), dot(q3, k1));
      }
    }
    let sees_a = sees(positions, first_key + x);
    let sees_b = sees(positions, first_key + x + 16u);
    a = select(vec4<f32>(LOWEST), finish_scores(a), sees_a);
    b = select(vec4<f32>(LOWEST), finish_scores(b), sees_b);
    workgroupBarrier();
    tile[KEY_PART + x * 16u + y] = max(a, b);
    workgroupBarrier();
    let before = largest;
    for (var i = 0u; i < 16u; i++) {
      largest = max(largest, tile[KEY_PART + i * 16u + y]);
    }
    let factor = exp(max(before - largest, vec4<f32>(-87.0)));
    a = weight_of(a, largest, sees_a);
    b = weight_of(b, largest, sees_b);
    sums = sums * factor + a + b;
    tile[x * 16u + y] = a;
    tile[(x + 16u) * 16u + y] = b;
    mix(0u, thread, first_key, values_at, factor, &mixed0);
    if (RUNS > 1u) {
      mix(1u, thread, first_key, values_at, factor, &mixed1);
    }
    if (RUNS > 2u) {
      mix(2u, thread, first_key, values_at, factor, &mixed2);
    }
    if (RUNS > 3u) {
      mix(3u, thread, first_key, values_at, factor, &mixed3);
    }
  }
  // Each thread has the sums of its keys.
  workgroupBarrier();
  tile[x * 16u + y] = sums;
  workgroupBarrier();
  sums = vec4<f32>(0.0);
  for (var i = 0u; i < 16u; i++) {
    sums += tile[i * 16u + y];
  }
  let row = first_row + y * 4u;
  write_run(0u, x, row, head, mixed0, sums);
  if (RUNS > 1u) {
    write_run(1u, x, row, head, mixed1, sums);
  }
  if (RUNS > 2u) {
    write_run(2u, x, row, head, mixed2, sums);
  }
  if (RUNS > 3u) {
    write_run(3u, x, row, head, mixed3, sums);
  }
}
