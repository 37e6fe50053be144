import { GELU, GELU_10, GELU_TANH, QUICK_GELU, RELU, RELU2, SILU } from '../config';
import { hyperbolicTangent, normalTail, sigmoid } from './exponential';
import { loadPart, multiplyAdd, storePart } from './lanes';

/** x·Φ(x). */
// @ts-ignore: decorator
@inline
function gelu(x: v128): v128 {
  const tail = normalTail(f32x4.abs(x));
  const above = f32x4.sub(f32x4.splat(1), tail);
  return f32x4.mul(x, v128.bitselect(tail, above, f32x4.lt(x, f32x4.splat(0))));
}

/** ½x(1 + tanh u) = x·sigmoid(2u), u = √(2/π)(x + 0.044715x³). */
// @ts-ignore: decorator
@inline
function geluTanh(x: v128): v128 {
  const factor = f32x4.splat(1.5957691216057308), cubic = f32x4.splat(0.0713548162726);
  const scale = multiplyAdd(f32x4.mul(x, x), cubic, factor);
  return f32x4.mul(x, sigmoid(f32x4.mul(x, scale)));
}

// @ts-ignore: decorator
@inline
function activation(kind: i32, x: v128): v128 {
  if (kind == SILU) return f32x4.mul(x, sigmoid(x));
  if (kind == GELU) return gelu(x);
  if (kind == GELU_TANH) return geluTanh(x);
  if (kind == GELU_10) return f32x4.min(gelu(x), f32x4.splat(10));
  if (kind == QUICK_GELU) return f32x4.mul(x, sigmoid(f32x4.mul(x, f32x4.splat(1.702))));
  const positive = f32x4.max(x, f32x4.splat(0));
  return kind == RELU2 ? f32x4.mul(positive, positive) : positive;
}

// @ts-ignore: decorator
@inline
function activateRow(kind: i32, gate: usize, up: usize, n: i32, target: usize): void {
  const wide = gate + (<usize>(n & ~3) << 2);
  for (; gate < wide; gate += 16, target += 16) {
    let v = activation(kind, v128.load(gate));
    if (up) {
      v = f32x4.mul(v, v128.load(up));
      up += 16;
    }
    v128.store(target, v);
  }
  const rest = n & 3;
  if (!rest) return;
  let v = activation(kind, loadPart(gate, rest));
  if (up) v = f32x4.mul(v, loadPart(up, rest));
  storePart(target, v, rest);
}

function siluRow(gate: usize, up: usize, n: i32, target: usize): void {
  activateRow(SILU, gate, up, n, target);
}

function geluRow(gate: usize, up: usize, n: i32, target: usize): void {
  activateRow(GELU, gate, up, n, target);
}

function geluTanhRow(gate: usize, up: usize, n: i32, target: usize): void {
  activateRow(GELU_TANH, gate, up, n, target);
}

function gelu10Row(gate: usize, up: usize, n: i32, target: usize): void {
  activateRow(GELU_10, gate, up, n, target);
}

function quickGeluRow(gate: usize, up: usize, n: i32, target: usize): void {
  activateRow(QUICK_GELU, gate, up, n, target);
}

function relu2Row(gate: usize, up: usize, n: i32, target: usize): void {
  activateRow(RELU2, gate, up, n, target);
}

function reluRow(gate: usize, up: usize, n: i32, target: usize): void {
  activateRow(RELU, gate, up, n, target);
}

/** target = activation(gate)·up, without `up` where it is 0. Strides in floats. */
export function activate(
  kind: i32, gate: usize, gateStride: i32, up: usize, upStride: i32, rows: i32, columns: i32,
  target: usize, targetStride: i32,
): void {
  for (let row = 0; row < rows; row++) {
    if (kind == SILU) siluRow(gate, up, columns, target);
    else if (kind == GELU) geluRow(gate, up, columns, target);
    else if (kind == GELU_TANH) geluTanhRow(gate, up, columns, target);
    else if (kind == GELU_10) gelu10Row(gate, up, columns, target);
    else if (kind == QUICK_GELU) quickGeluRow(gate, up, columns, target);
    else if (kind == RELU2) relu2Row(gate, up, columns, target);
    else reluRow(gate, up, columns, target);
    gate += <usize>gateStride << 2;
    if (up) up += <usize>upStride << 2;
    target += <usize>targetStride << 2;
  }
}

/** target += source. Strides in floats. */
export function add(
  source: usize, stride: i32, rows: i32, columns: i32, target: usize, targetStride: i32,
): void {
  const wide = <usize>(columns & ~3) << 2, end = <usize>columns << 2;
  for (let row = 0; row < rows; row++) {
    let i: usize = 0;
    for (; i < wide; i += 16) {
      v128.store(target + i, f32x4.add(v128.load(target + i), v128.load(source + i)));
    }
    for (; i < end; i += 4) store<f32>(target + i, load<f32>(target + i) + load<f32>(source + i));
    source += <usize>stride << 2;
    target += <usize>targetStride << 2;
  }
}

/** values = cap·tanh(values/cap) over n floats. */
export function capRow(p: usize, n: i32, cap: f32): void {
  const c = f32x4.splat(cap);
  const wide = p + (<usize>(n & ~3) << 2), rest = n & 3;
  for (; p < wide; p += 16) {
    v128.store(p, f32x4.mul(hyperbolicTangent(f32x4.div(v128.load(p), c)), c));
  }
  if (rest) storePart(p, f32x4.mul(hyperbolicTangent(f32x4.div(loadPart(p, rest), c)), c), rest);
}

export function softCap(values: usize, stride: i32, rows: i32, columns: i32, cap: f32): void {
  for (let row = 0; row < rows; row++) {
    capRow(values, columns, cap);
    values += <usize>stride << 2;
  }
}
