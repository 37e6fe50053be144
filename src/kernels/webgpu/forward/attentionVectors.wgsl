// Queries, keys and values whose heads start at multiples of 16 bytes and are whole vectors.
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> values: array<vec4<f32>>;

/// Four elements of a head, zero where there are none; `at`: word of its first.
fn load_queries(at: u32, element: u32) -> vec4<f32> {
  if (element < parameters.head_size) {
    return queries[(at + element) / 4u];
  }
  return vec4<f32>(0.0);
}

/// Four elements of a head, zero where there are none; `at`: word of its first.
fn load_keys(at: u32, element: u32) -> vec4<f32> {
  if (element < parameters.head_size) {
    return keys[(at + element) / 4u];
  }
  return vec4<f32>(0.0);
}

/// Four elements of a head, zero where there are none; `at`: word of its first.
fn load_values(at: u32, element: u32) -> vec4<f32> {
  if (element < parameters.head_size) {
    return values[(at + element) / 4u];
  }
  return vec4<f32>(0.0);
}
