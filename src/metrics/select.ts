/**
 * Reorders values so that the one at an index is where sorting would put it, smaller ones in front of it
 * and larger ones behind (Hoare's selection). There must be no NaN.
 * @param from first index of the part that is reordered, and `to` its last
 */
export function selectIndex(
  values: Float32Array,
  index: number,
  from = 0,
  to = values.length - 1,
): void {
  let low = from;
  let high = to;
  while (low < high) {
    const pivot = medianOfThree(values[low], values[(low + high) >> 1], values[high]);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const swapped = values[i];
      values[i++] = values[j];
      values[j--] = swapped;
    }
    if (index <= j) high = j;
    else if (index >= i) low = i;
    else return;
  }
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
