// Transposes a matrix of words, in tiles that are read and written row by row.

const VIEWS = 2u;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> transposed: array<u32>;

const TILE = 16u;

var<workgroup> tile: array<array<u32, 17>, 16>;

// Parameters: rows and columns of the source, tiles of a row.

@compute @workgroup_size(16, 16)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let rows = word(1u);
  let columns = word(2u);
  let number = id.y * counts.x + id.x;
  let row = number / word(3u) * TILE;
  let column = number % word(3u) * TILE;
  if (row + local.y < rows && column + local.x < columns) {
    tile[local.y][local.x] = source[skip(0u) + (row + local.y) * columns + column + local.x];
  }
  workgroupBarrier();
  if (row + local.x < rows && column + local.y < columns) {
    transposed[skip(1u) + (column + local.y) * rows + row + local.x] = tile[local.x][local.y];
  }
}
