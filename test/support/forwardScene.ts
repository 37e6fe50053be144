import type { Matrix } from '../../src/kernels/forwardKernels.js';
import { FIRST_FREE, type ForwardSetup } from './forwardKernels.js';

/** What fills memory that a kernel must not touch. */
export const SENTINEL = -123456.75;

/** A generator of repeatable numbers. */
export class Random {
  constructor(private state: number) {}

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** About normal, mean 0, deviation 1. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.next();
    return sum;
  }

  floats(length: number, scale = 1): Float32Array {
    return Float32Array.from({ length }, () => this.normal() * scale);
  }
}

/** The same data, laid out one after another at the same addresses in several memories. */
export class Scene {
  private end = FIRST_FREE;

  constructor(readonly setups: readonly ForwardSetup[]) {
    for (const { memory } of setups) {
      new Float32Array(memory.buffer).fill(SENTINEL, FIRST_FREE / 4);
    }
  }

  /** Place for floats, all sentinels, a gap behind it. */
  reserve(bytes: number): number {
    const at = this.end;
    this.end += Math.ceil((bytes + 64) / 16) * 16;
    if (this.end > this.setups[0].memory.buffer.byteLength) throw new Error('The scene is too big');
    return at;
  }

  put(values: Float32Array | Float64Array | Int32Array): number {
    const at = this.reserve(values.byteLength);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (const { memory } of this.setups) new Uint8Array(memory.buffer).set(bytes, at);
    return at;
  }

  /** A matrix with sentinels between its rows. */
  matrix(rows: number, columns: number, values?: Float32Array, gap = 3): Matrix {
    const stride = columns + gap;
    const padded = new Float32Array(rows * stride).fill(SENTINEL);
    if (values) {
      for (let row = 0; row < rows; row++) {
        padded.set(values.subarray(row * columns, (row + 1) * columns), row * stride);
      }
    }
    return { at: this.put(padded), stride };
  }

  /** All floats that lie in the scene, for one setup. */
  snapshot(setup: ForwardSetup): Float32Array {
    return new Float32Array(setup.memory.buffer.slice(FIRST_FREE, this.end));
  }

  read(setup: ForwardSetup, { at, stride }: Matrix, rows: number, columns: number): Float32Array {
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const from = new Float32Array(setup.memory.buffer, at + row * stride * 4, columns);
      values.set(from, row * columns);
    }
    return values;
  }
}

/** Bytes that belong to one implementation and are not compared. */
export interface PrivateArea {
  readonly at: number;
  readonly bytes: (setup: ForwardSetup) => number;
}

/**
 * Runs the same call in all setups and compares all memory with the first, the reference: results
 * within `tolerance` (absolute plus relative to the value), everything else untouched.
 */
export function expectAgreement(
  scene: Scene,
  call: (setup: ForwardSetup) => void,
  tolerance: number,
  areas: readonly PrivateArea[] = [],
): void {
  const [reference, ...others] = scene.setups;
  call(reference);
  const expected = scene.snapshot(reference);
  for (const setup of others) {
    call(setup);
    const actual = scene.snapshot(setup);
    const hidden = (address: number) =>
      areas.some(({ at, bytes }) =>
        [setup, reference].some((one) => address >= at && address < at + bytes(one)),
      );
    for (let i = 0; i < expected.length; i++) {
      const [a, b] = [actual[i], expected[i]];
      if (Object.is(a, b) || hidden(FIRST_FREE + i * 4)) continue;
      const near = Math.abs(a - b) <= tolerance * (1 + Math.abs(b)) || a === b;
      if (!near || b === SENTINEL) {
        throw new Error(`${setup.name}: ${a} instead of ${b} at float ${i}`);
      }
    }
  }
}
