// Tiles of 64 × 64: each thread has 4 rows × 4 outputs.
const TILE: u32 = 64u;
const DEPTH: u32 = 32u;

fn multiply_tile(thread: u32, lane: u32, workgroup: u32) {
  let origin = tile_origin(workgroup);
  if (origin.y >= parameters.outputs) {
    return;
  }
  let column = thread % 16u;
  let row = thread / 16u;
  var s0 = vec4<f32>(0.0);
  var s1 = vec4<f32>(0.0);
  var s2 = vec4<f32>(0.0);
  var s3 = vec4<f32>(0.0);
  // A part is on its way while the one before it is computed.
  for (var depth = 0u; depth < parameters.inputs + DEPTH; depth += DEPTH) {
    let next = load_block(thread, origin, depth);
    if (depth > 0u) {
      for (var first = 0u; first < DEPTH; first += HELD) {
        let held = hold_rows(first, row, lane);
        for (var i = 0u; i < HELD; i++) {
          let k = first + i;
          let a = held_rows(held, i, k, row, lane);
          let b = w_tile[slot(k, column)];
          s0 += a.x * b;
          s1 += a.y * b;
          s2 += a.z * b;
          s3 += a.w * b;
        }
      }
    }
    workgroupBarrier();
    store_block(thread, next);
    workgroupBarrier();
  }
  let first = origin + vec2<u32>(row, column) * 4u;
  write_four(first.x, first.y, s0);
  write_four(first.x + 1u, first.y, s1);
  write_four(first.x + 2u, first.y, s2);
  write_four(first.x + 3u, first.y, s3);
}
