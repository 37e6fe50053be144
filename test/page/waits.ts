import type { Page } from 'playwright-core';
import { expect } from 'vitest';

// None of these uses waitForFunction: the pages' policy refuses what that evaluates.

/** Waits until that many charts are drawn. */
export async function waitForCharts(page: Page, count: number): Promise<void> {
  const last = page.locator('.chart-plot[data-drawn]').nth(count - 1);
  await last.waitFor({ state: 'attached' });
}

/** Does something and waits until all charts have been drawn anew. */
export async function waitForRedraw(page: Page, act: () => Promise<void>): Promise<void> {
  const drawn = (): Promise<number[]> =>
    page
      .locator('.chart-plot')
      .evaluateAll((plots) => plots.map((plot) => Number((plot as HTMLElement).dataset.drawn)));
  const before = await drawn();
  await act();
  await expect
    .poll(async () => (await drawn()).every((times, i) => times > before[i]), { timeout: 10_000 })
    .toBe(true);
}
