import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The system's Chromium: `$QUANTSCOPE_CHROMIUM`, else the first on the path; undefined without one. */
export function findChromium(): string | undefined {
  if (process.env.QUANTSCOPE_CHROMIUM) return process.env.QUANTSCOPE_CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return candidates.find((path) => existsSync(path));
}

/** What tests say when they are skipped. */
export const NO_CHROMIUM = findChromium() ? '' : ' (skipped: no Chromium on this machine)';

/** @param more arguments of the browser */
export function launchChromium(...more: string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none', ...more],
  });
}
