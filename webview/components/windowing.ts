/** A run of rows [first, end) that is rendered. */
export interface RowWindow {
  readonly first: number;
  readonly end: number;
}

/** Rows rendered beyond each edge of the view, so that a small scroll needs no rendering. */
const MARGIN = 10;

/** The rows of equal height to render for a scroll position; all in CSS pixels. */
export function visibleWindow(
  scrollTop: number,
  viewHeight: number,
  rowHeight: number,
  rows: number,
): RowWindow {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - MARGIN);
  const end = Math.min(rows, Math.ceil((scrollTop + viewHeight) / rowHeight) + MARGIN);
  return { first: Math.min(first, end), end };
}

/** Where to scroll so that a row is inside the view; the same position when it is already. */
export function scrollToRow(
  row: number,
  scrollTop: number,
  viewHeight: number,
  rowHeight: number,
): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + viewHeight) return top + rowHeight - viewHeight;
  return scrollTop;
}
