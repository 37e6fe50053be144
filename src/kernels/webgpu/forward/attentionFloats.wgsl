// Queries, keys and values, anywhere.
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> keys: array<f32>;
@group(0) @binding(3) var<storage, read> values: array<f32>;

/// Four elements of a head, zero where there are none; `at`: word of its first.
fn load_queries(at: u32, element: u32) -> vec4<f32> {
  var four = vec4<f32>(0.0);
  for (var i = 0u; i < 4u && element + i < parameters.head_size; i++) {
    four[i] = queries[at + element + i];
  }
  return four;
}

/// Four elements of a head, zero where there are none; `at`: word of its first.
fn load_keys(at: u32, element: u32) -> vec4<f32> {
  var four = vec4<f32>(0.0);
  for (var i = 0u; i < 4u && element + i < parameters.head_size; i++) {
    four[i] = keys[at + element + i];
  }
  return four;
}

/// Four elements of a head, zero where there are none; `at`: word of its first.
fn load_values(at: u32, element: u32) -> vec4<f32> {
  var four = vec4<f32>(0.0);
  for (var i = 0u; i < 4u && element + i < parameters.head_size; i++) {
    four[i] = values[at + element + i];
  }
  return four;
}
