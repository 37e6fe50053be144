import type { Page } from 'playwright-core';

/** Chooses an option of a dropdown as a user does. @param dropdown a selector */
export async function chooseOption(page: Page, dropdown: string, option: string): Promise<void> {
  const field = page.locator(dropdown);
  await field.click();
  await field.getByRole('option', { name: option, exact: true }).click();
}
