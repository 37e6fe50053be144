import type { Browser } from 'playwright-core';
import { afterEach, beforeAll, describe, expect } from 'vitest';
import type {
  ComparisonHostApi,
  ComparisonPageApi,
  ComparisonState,
} from '../../src/reports/comparisonPage.js';
import type { EditorHostApi, EditorPageApi } from '../../src/reports/editorPage.js';
import { NO_CHROMIUM, findChromium, launchChromium } from './chromium.js';
import type { FakeComparisonHost } from './fakeComparisonHost.js';
import { fakeComparisonHost } from './fakeComparisonHost.js';
import type { FakeEditorHost } from './fakeEditorHost.js';
import { fakeEditorHost } from './fakeEditorHost.js';
import type { OpenOptions, OpenedPage } from './openPage.js';
import { openPage } from './openPage.js';
import type { PageServer } from './pageServer.js';
import { servePages } from './pageServer.js';

/** How tests open pages; what they opened is checked and closed after each test. */
export interface Pages {
  editor(
    host?: FakeEditorHost,
    options?: OpenOptions,
  ): Promise<OpenedPage<EditorPageApi> & { host: FakeEditorHost }>;
  comparison(
    state: ComparisonState,
    options?: OpenOptions,
  ): Promise<OpenedPage<ComparisonPageApi> & { host: FakeComparisonHost }>;
}

let shared: Promise<[Browser, PageServer]> | undefined;

/** One browser and one server for all files of tests, which share this module; they end with its process. */
function startPages(): Promise<[Browser, PageServer]> {
  return (shared ??= Promise.all([launchChromium(), servePages()]));
}

/**
 * Tests of pages in one Chromium, skipped visibly where there is none. After each test no page may
 * have thrown, or have broken its content security policy.
 */
export function describePages(name: string, tests: (pages: Pages) => void): void {
  describe.skipIf(!findChromium())(`${name}${NO_CHROMIUM}`, () => {
    let browser: Browser;
    let server: PageServer;
    const opened: OpenedPage<never>[] = [];

    beforeAll(async () => {
      [browser, server] = await startPages();
    });
    afterEach(async () => {
      for (const page of opened.splice(0)) {
        expect(page.errors).toEqual([]);
        // The toolkit tries one style element to learn whether :focus-visible exists.
        const violations = await page.violations();
        expect(violations.filter((text) => !text.startsWith('style-src-elem '))).toEqual([]);
        expect(violations.length).toBeLessThanOrEqual(1);
        await page.close();
      }
    });

    tests({
      async editor(host = fakeEditorHost(), options = {}) {
        const page = await openPage<EditorHostApi, EditorPageApi>(
          browser,
          server,
          'editor',
          host.handlers,
          options,
        );
        opened.push(page as unknown as OpenedPage<never>);
        return { ...page, host };
      },
      async comparison(state, options = {}) {
        const host = fakeComparisonHost(state);
        const page = await openPage<ComparisonHostApi, ComparisonPageApi>(
          browser,
          server,
          'comparison',
          host.handlers,
          options,
        );
        opened.push(page as unknown as OpenedPage<never>);
        return { ...page, host };
      },
    });
  });
}
