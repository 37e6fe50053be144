// Tiles of 128 × 128: each thread has 8 rows × 8 outputs, in runs of 4 that lie 64 apart.
const TILE: u32 = 128u;
const DEPTH: u32 = 16u;

fn multiply_tile(thread: u32, lane: u32, workgroup: u32) {
  let origin = tile_origin(workgroup);
  if (origin.y >= parameters.outputs) {
    return;
  }
  let column = thread % 16u;
  let row = thread / 16u;
  // Of each row, the two runs of outputs.
  var l0 = vec4<f32>(0.0);
  var r0 = vec4<f32>(0.0);
  var l1 = vec4<f32>(0.0);
  var r1 = vec4<f32>(0.0);
  var l2 = vec4<f32>(0.0);
  var r2 = vec4<f32>(0.0);
  var l3 = vec4<f32>(0.0);
  var r3 = vec4<f32>(0.0);
  var l4 = vec4<f32>(0.0);
  var r4 = vec4<f32>(0.0);
  var l5 = vec4<f32>(0.0);
  var r5 = vec4<f32>(0.0);
  var l6 = vec4<f32>(0.0);
  var r6 = vec4<f32>(0.0);
  var l7 = vec4<f32>(0.0);
  var r7 = vec4<f32>(0.0);
  // A part is on its way while the one before it is computed.
  for (var depth = 0u; depth < parameters.inputs + DEPTH; depth += DEPTH) {
    let next = load_block(thread, origin, depth);
    if (depth > 0u) {
      for (var first = 0u; first < DEPTH; first += HELD) {
        let held_a = hold_rows(first, row, lane);
        let held_c = hold_rows(first, row + 16u, lane);
        for (var i = 0u; i < HELD; i++) {
          let k = first + i;
          let a = held_rows(held_a, i, k, row, lane);
          let c = held_rows(held_c, i, k, row + 16u, lane);
          let left = w_tile[slot(k, column)];
          let right = w_tile[slot(k, column + 16u)];
          l0 += a.x * left;
          r0 += a.x * right;
          l1 += a.y * left;
          r1 += a.y * right;
          l2 += a.z * left;
          r2 += a.z * right;
          l3 += a.w * left;
          r3 += a.w * right;
          l4 += c.x * left;
          r4 += c.x * right;
          l5 += c.y * left;
          r5 += c.y * right;
          l6 += c.z * left;
          r6 += c.z * right;
          l7 += c.w * left;
          r7 += c.w * right;
        }
      }
    }
    workgroupBarrier();
    store_block(thread, next);
    workgroupBarrier();
  }
  let first = origin + vec2<u32>(row, column) * 4u;
  write_four(first.x, first.y, l0);
  write_four(first.x, first.y + 64u, r0);
  write_four(first.x + 1u, first.y, l1);
  write_four(first.x + 1u, first.y + 64u, r1);
  write_four(first.x + 2u, first.y, l2);
  write_four(first.x + 2u, first.y + 64u, r2);
  write_four(first.x + 3u, first.y, l3);
  write_four(first.x + 3u, first.y + 64u, r3);
  write_four(first.x + 64u, first.y, l4);
  write_four(first.x + 64u, first.y + 64u, r4);
  write_four(first.x + 65u, first.y, l5);
  write_four(first.x + 65u, first.y + 64u, r5);
  write_four(first.x + 66u, first.y, l6);
  write_four(first.x + 66u, first.y + 64u, r6);
  write_four(first.x + 67u, first.y, l7);
  write_four(first.x + 67u, first.y + 64u, r7);
}
