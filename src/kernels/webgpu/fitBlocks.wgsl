// Scales of GGUF's simple blocks, a thread for each block.

const VIEWS = 3u;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read_write> fits: array<vec4<u32>>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = (id.y * counts.x + id.x) * 256u + thread;
  if (group >= word(GROUPS)) {
    return;
  }
  let place = placeOf(group);
  let first = skip(1u) + place.start;
  // A block that ends a row is filled up with zeros.
  let isFilled = place.count < 32u;
  var lo = select(2147483647, 0, isFilled);
  var hi = select(-2147483647, 0, isFilled);
  // The first of the largest magnitude, with its sign.
  var extreme = 0u;
  for (var i = 0u; i < place.count; i++) {
    let weight = weights[first + i];
    if ((weight & MAGNITUDE) > (extreme & MAGNITUDE)) {
      extreme = weight;
    }
    lo = min(lo, orderOf(weight));
    hi = max(hi, orderOf(weight));
  }
  var scale: u32;
  var least = 0u;
  switch word(KIND) {
    case SIGNED_BLOCK: {
      scale = divide(extreme, bitcast<u32>(f32(bitcast<i32>(word(LOWEST)))));
    }
    case RANGE_BLOCK: {
      least = ofOrder(lo);
      scale = divide(subtract(ofOrder(hi), least), bitcast<u32>(f32(bitcast<i32>(word(HIGHEST)))));
    }
    default: {
      scale = divide(extreme & MAGNITUDE, bitcast<u32>(f32(bitcast<i32>(word(HIGHEST)))));
    }
  }
  var fit = vec4<u32>(storeF16(scale), inverseOf(scale), least, 0u);
  // The reference sees clipped weights where it filled up, too.
  if (isFilled && quantize(0u, quantizerOf(unpackFit(fit))).clips) {
    fit.w = (32u - place.count) << MORE_CLIPPED;
  }
  fits[skip(2u) / 4u + group] = fit;
}
