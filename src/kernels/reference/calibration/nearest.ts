import type { NearestSearch } from '../../calibrationKernels.js';

const { fround } = Math;

/** See `CalibrationKernels.findNearest`. */
export function findNearest(
  { buffer }: WebAssembly.Memory,
  { vectors, count, length, codebook, centroids, target }: NearestSearch,
): void {
  const floats = new Float32Array(buffer);
  const places = new Int32Array(buffer, target, count);
  for (let i = 0; i < count; i++) {
    let least = Infinity;
    places[i] = 0;
    for (let centroid = 0; centroid < centroids; centroid++) {
      let distance = 0;
      for (let u = 0; u < length; u++) {
        const component = floats[vectors.at / 4 + u * vectors.stride + i];
        const difference = fround(component - floats[codebook / 4 + centroid * length + u]);
        distance = fround(distance + fround(difference * difference));
      }
      if (distance < least) {
        least = distance;
        places[i] = centroid;
      }
    }
  }
}
