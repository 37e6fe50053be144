// The same loops in plain C, for `npm run bench`: gcc -O3 -march=native, strict floating point.
// Arguments: repetitions. Reads nothing; prints one line per loop: name, best and median seconds.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N 262144
#define GROUP 128

typedef struct {
  double error, value, step, underflow_error, max_error;
  long underflow, clipped;
} Sums;

static float x[N], y[N];
static uint16_t codes[N];
static Sums sums;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Scales are stored as f16. */
static float as_f16(float v) { return (float)(_Float16)v; }

static inline void add(float w, float q, float u) {
  double e = (double)q - (double)w, square = e * e;
  sums.error += square;
  sums.value += (double)q * (double)q;
  sums.step += (double)u * (double)u;
  if (fabs(e) > sums.max_error) sums.max_error = fabs(e);
  if (q == 0 && w != 0) {
    sums.underflow++;
    sums.underflow_error += square;
  }
  if (fabsf(u) > 0.50001f) sums.clipped++;
}

static void range(const float *p, float *lo, float *hi) {
  *lo = 0;
  *hi = 0;
  for (int i = 0; i < GROUP; i++) {
    *lo = p[i] < *lo ? p[i] : *lo;
    *hi = p[i] > *hi ? p[i] : *hi;
  }
}

static void integers(float top) {
  memset(&sums, 0, sizeof sums);
  for (int g = 0; g < N; g += GROUP) {
    float lo, hi;
    range(x + g, &lo, &hi);
    float scale = as_f16((hi - lo) / top), zero = rintf(-lo / scale);
    for (int i = g; i < g + GROUP; i++) {
      float scaled = x[i] / scale, code = rintf(scaled) + zero;
      code = code < 0 ? 0 : code;
      code = code > top ? top : code;
      float level = code - zero;
      y[i] = scale * level;
      add(x[i], y[i], scaled - level);
    }
  }
}

static float thresholds[15], levels[16], widths[16];

static void grid16(void) {
  memset(&sums, 0, sizeof sums);
  for (int g = 0; g < N; g += GROUP) {
    float lo, hi;
    range(x + g, &lo, &hi);
    float positive = as_f16(hi), negative = as_f16(-lo);
    for (int i = g; i < g + GROUP; i++) {
      float scale = x[i] < 0 ? negative : positive, scaled = x[i] / scale;
      int k = 0;
      for (int t = 0; t < 15; t++) k += scaled > thresholds[t];
      int interval = scaled < levels[k] ? k - 1 : k;
      interval = interval < 0 ? 0 : interval > 14 ? 14 : interval;
      y[i] = levels[k] * scale;
      add(x[i], y[i], (scaled - levels[k]) * widths[interval]);
    }
  }
}

static void minifloat(int fraction, float least, float largest, int by_sign, int lower_ties) {
  memset(&sums, 0, sizeof sums);
  for (int g = 0; g < N; g += GROUP) {
    float lo, hi;
    range(x + g, &lo, &hi);
    float most = hi > -lo ? hi : -lo;
    float positive = as_f16((by_sign ? hi : most) / largest);
    float negative = as_f16((by_sign ? -lo : most) / largest);
    for (int i = g; i < g + GROUP; i++) {
      float scale = x[i] < 0 ? negative : positive, scaled = x[i] / scale;
      float magnitude = fabsf(scaled);
      magnitude = magnitude > largest ? largest : magnitude;
      union { float f; int32_t i; } binade = {magnitude}, step, inverse;
      binade.i &= 0x7f800000;
      binade.f = binade.f > least ? binade.f : least;
      step.i = binade.i - (fraction << 23);
      inverse.i = 0x7f000000 - binade.i + (fraction << 23);
      float quotient = scaled * inverse.f, rounded = rintf(quotient);
      if (lower_ties && quotient - rounded == -0.5f) rounded -= 1;
      float level = rounded * step.f;
      level = level > largest ? largest : level < -largest ? -largest : level;
      y[i] = level * scale;
      add(x[i], y[i], (scaled - level) * inverse.f);
    }
  }
}

static void decode_bf16(void) {
  uint32_t *out = (uint32_t *)y;
  for (int i = 0; i < N; i++) out[i] = (uint32_t)codes[i] << 16;
}

static void decode_f16(void) {
  const _Float16 *h = (const _Float16 *)codes;
  for (int i = 0; i < N; i++) y[i] = h[i];
}

static uint32_t state = 1;
static double uniform(void) {
  state = state * 1664525u + 1013904223u;
  return state / 4294967296.0;
}

static int compare(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return d < 0 ? -1 : d > 0;
}

#define BENCH(name, call)                                                      \
  do {                                                                         \
    for (int r = 0; r < repetitions; r++) {                                    \
      double begin = now();                                                    \
      call;                                                                    \
      seconds[r] = now() - begin;                                              \
      __asm__ volatile("" ::"r"(y) : "memory");                                \
    }                                                                          \
    qsort(seconds, repetitions, sizeof *seconds, compare);                     \
    printf("%s %.9g %.9g %.17g\n", name, seconds[0], seconds[repetitions / 2], sums.error); \
  } while (0)

int main(int count, char **arguments) {
  int repetitions = count > 1 ? atoi(arguments[1]) : 50;
  double *seconds = malloc(repetitions * sizeof *seconds);
  static const float nf4[16] = {
      -1, -0.6961928f, -0.52507305f, -0.3949175f, -0.28444138f, -0.18477343f, -0.09105004f, 0,
      0.0795803f, 0.1609302f, 0.2461123f, 0.33791524f, 0.44070983f, 0.562617f, 0.72295684f, 1};
  for (int i = 0; i < 16; i++) levels[i] = as_f16(nf4[i]);
  for (int i = 0; i < 15; i++) {
    thresholds[i] = (levels[i] + levels[i + 1]) / 2;
    widths[i] = 1 / (levels[i + 1] - levels[i]);
  }
  for (int i = 0; i < N; i++) {
    double sum = uniform();
    sum += uniform();
    sum += uniform();
    sum += uniform();
    x[i] = (float)((sum - 2) * 0.035);
    codes[i] = (uint16_t)(i * 40503u >> 1);
  }
  BENCH("int4-asym", integers(15));
  BENCH("int8-asym", integers(255));
  BENCH("anf4", grid16());
  BENCH("fp4-e2m1", minifloat(1, 1, 6, 0, 1));
  BENCH("afp4-e2m1", minifloat(1, 1, 6, 1, 1));
  BENCH("fp8-e4m3", minifloat(3, ldexpf(1, -12), 7.5f, 0, 0));
  BENCH("decode-bf16", decode_bf16());
  BENCH("decode-f16", decode_f16());
  return 0;
}
