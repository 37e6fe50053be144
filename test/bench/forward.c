// The packed matrix product in plain C, for `npm run bench`: the same slices and panels as
// src/kernels/wasm/assembly/forward, with the tile that suits the vectors. Build with
// -DVECTOR=(bytes), -DPANEL=(outputs), -DTILE=(rows); arguments: rows outputs inputs repetitions.
// Prints the processor seconds of the fastest repetition, and Σ|output|.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH 512
#define VECTORS (PANEL * 4 / VECTOR)

typedef float Vector __attribute__((vector_size(VECTOR)));

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

/* x [inputs/DEPTH][rows/TILE][depth][TILE], w [outputs/PANEL][inputs][PANEL], y [rows][outputs] */
static __attribute__((noinline)) void multiply(const float *x, const float *w, float *y, long rows,
                                               long outputs, long inputs) {
  for (long k = 0; k < inputs; k += DEPTH) {
    long depth = inputs - k < DEPTH ? inputs - k : DEPTH;
    for (long n = 0; n < outputs; n += PANEL) {
      const float *panel = w + n * inputs + k * PANEL;
      for (long m = 0; m < rows; m += TILE) {
        const float *tile = x + k * rows + m * depth;
        Vector sums[TILE][VECTORS] = {0};
        for (long i = 0; i < depth; i++)
          for (int v = 0; v < VECTORS; v++) {
            Vector weights;
            memcpy(&weights, panel + i * PANEL + v * (VECTOR / 4), VECTOR);
            for (int r = 0; r < TILE; r++) sums[r][v] += tile[i * TILE + r] * weights;
          }
        for (int r = 0; r < TILE; r++)
          for (int v = 0; v < VECTORS; v++) {
            float *to = y + (m + r) * outputs + n + v * (VECTOR / 4);
            Vector before = {0};
            if (k) memcpy(&before, to, VECTOR);
            sums[r][v] += before;
            memcpy(to, &sums[r][v], VECTOR);
          }
      }
    }
  }
}

static uint32_t state = 1;
static float uniform(void) {
  state = state * 1664525u + 1013904223u;
  return (float)(state / 4294967296.0 - 0.5);
}

int main(int count, char **arguments) {
  if (count < 5) return 1;
  long rows = atol(arguments[1]), outputs = atol(arguments[2]), inputs = atol(arguments[3]);
  int repetitions = atoi(arguments[4]);
  /* What is multiplied is whole tiles; the rows that lack are zeros and not in the sum. */
  long padded = (rows + TILE - 1) / TILE * TILE;
  float *x = calloc(padded * inputs, 4), *w = malloc(4 * outputs * inputs);
  float *y = calloc(padded * outputs, 4);
  double best = 1e9;
  if (!x || !w || !y || outputs % PANEL) return 1;
  for (long m = 0; m < rows; m++)
    for (long k = 0; k < inputs; k++) {
      long slice = k / DEPTH * DEPTH, depth = inputs - slice < DEPTH ? inputs - slice : DEPTH;
      x[slice * padded + m / TILE * TILE * depth + (k - slice) * TILE + m % TILE] = uniform();
    }
  for (long n = 0; n < outputs; n++)
    for (long k = 0; k < inputs; k++)
      w[n / PANEL * PANEL * inputs + k * PANEL + n % PANEL] = uniform();
  multiply(x, w, y, padded, outputs, inputs);
  for (int r = 0; r < repetitions; r++) {
    double begin = now();
    multiply(x, w, y, padded, outputs, inputs);
    double seconds = now() - begin;
    if (seconds < best) best = seconds;
  }
  double sum = 0;
  for (long i = 0; i < rows * outputs; i++) sum += fabs(y[i]);
  printf("%.9g %.17g\n", best, sum);
  return 0;
}
