const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** A size in units of 1024, as VS Code writes sizes: 399 KB, 1.50 MB. */
export function formatSize(bytes: number): string {
  let index = 0;
  while (index + 1 < UNITS.length && bytes / 1024 ** index >= 10_000) index++;
  const value = bytes / 1024 ** index;
  const places = index < 2 ? 0 : 2;
  const text = value.toLocaleString('en-US', {
    minimumFractionDigits: places,
    maximumFractionDigits: places,
  });
  return `${text} ${UNITS[index]}`;
}
