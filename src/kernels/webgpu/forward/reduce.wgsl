// Sums and maxima over a workgroup of WIDTH threads, a square number, in two steps; every thread gets them.
override WIDTH: u32 = 256u;
override SIDE: u32 = 16u;

var<workgroup> partial: array<f32, WIDTH>;
var<workgroup> partial_sides: array<f32, SIDE>;

fn workgroup_sum(thread: u32, value: f32) -> f32 {
  partial[thread] = value;
  workgroupBarrier();
  if (thread < SIDE) {
    var sum = 0.0;
    for (var i = 0u; i < SIDE; i++) {
      sum += partial[i * SIDE + thread];
    }
    partial_sides[thread] = sum;
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < SIDE; i++) {
    total += partial_sides[i];
  }
  return total;
}

struct Place {
  value: f32,
  index: u32,
}

/// The larger of two, of equal ones that with the lower index.
fn larger(a: Place, b: Place) -> Place {
  if (b.value > a.value || (b.value == a.value && b.index < a.index)) {
    return b;
  }
  return a;
}

var<workgroup> places: array<Place, WIDTH>;
var<workgroup> side_places: array<Place, SIDE>;

fn workgroup_largest(thread: u32, place: Place) -> Place {
  places[thread] = place;
  workgroupBarrier();
  if (thread < SIDE) {
    var best = places[thread];
    for (var i = 1u; i < SIDE; i++) {
      best = larger(best, places[i * SIDE + thread]);
    }
    side_places[thread] = best;
  }
  workgroupBarrier();
  var best = side_places[0];
  for (var i = 1u; i < SIDE; i++) {
    best = larger(best, side_places[i]);
  }
  return best;
}
