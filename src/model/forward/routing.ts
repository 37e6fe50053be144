/** Bytes of where a row goes: of each of its experts a number and a weight. */
export function countRouteBytes(expertsPerRow: number): number {
  return expertsPerRow * 8;
}

/** Where some rows go. */
export interface Routes {
  /** Expert j of row r stands at r·stride + j. */
  readonly experts: Int32Array;
  /** The weight of expert j of row r stands at r·stride + j. */
  readonly weights: Float32Array;
  readonly stride: number;
}

/** Routes at an address, as {@link countRouteBytes} has them: experts of a row, then their weights. */
export function routesAt(
  buffer: ArrayBufferLike,
  at: number,
  rows: number,
  expertsPerRow: number,
): Routes {
  const stride = 2 * expertsPerRow;
  return {
    experts: new Int32Array(buffer, at, rows * stride),
    weights: new Float32Array(buffer, at, rows * stride).subarray(expertsPerRow),
    stride,
  };
}

/**
 * Sends a row to the experts with the largest logits. Where logits are equal, the lower number comes
 * first: torch.topk leaves that open.
 * @param logits f32 [experts]
 * @param normalized divide by the sum of the chosen experts' weights
 * @param experts receives their numbers; its length is how many there are, at most that of the logits
 * @param weights receives softmax over all logits, or over theirs; of the same length
 */
export function chooseExperts(
  logits: Float32Array,
  normalized: boolean,
  experts: Int32Array,
  weights: Float32Array,
): void {
  const most = logits.reduce((largest, logit) => Math.max(largest, logit), -Infinity);
  if (!Number.isFinite(most)) {
    // Hidden states that are not finite stay so, and choose nothing.
    weights.fill(NaN);
    experts.forEach((_, index) => (experts[index] = index));
    return;
  }
  let last = -1;
  let sum = 0;
  for (let chosen = 0; chosen < experts.length; chosen++) {
    last = experts[chosen] = findNext(logits, last);
    sum += Math.exp(logits[last] - most);
  }
  if (!normalized) sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
  for (let chosen = 0; chosen < experts.length; chosen++) {
    weights[chosen] = Math.exp(logits[experts[chosen]] - most) / sum;
  }
}

/** The logit that follows another in falling order, of equal ones in rising order of places; −1: the first. */
function findNext(logits: Float32Array, last: number): number {
  let best = -1;
  for (let place = 0; place < logits.length; place++) {
    const isAfter =
      last < 0 || logits[place] < logits[last] || (logits[place] === logits[last] && place > last);
    if (isAfter && (best < 0 || logits[place] > logits[best])) best = place;
  }
  return best;
}
