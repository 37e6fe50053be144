import { describe, expect, it } from 'vitest';
import { scrollToRow, visibleWindow } from '../../../webview/components/windowing.js';

describe('long lists', () => {
  it('render the view and a margin, and scroll no more than needed', () => {
    expect(visibleWindow(2200, 220, 22, 100_000)).toEqual({ first: 90, end: 120 });
    expect(visibleWindow(0, 220, 22, 5)).toEqual({ first: 0, end: 5 });
    expect(visibleWindow(5000, 220, 22, 3)).toEqual({ first: 3, end: 3 });
    expect(scrollToRow(5, 220, 220, 22)).toBe(110);
    expect(scrollToRow(30, 220, 220, 22)).toBe(462);
    expect(scrollToRow(15, 220, 220, 22)).toBe(220);
  });
});
