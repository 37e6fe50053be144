import { expect, it } from 'vitest';
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

describePages('the content security policy of a page', (pages) => {
  it('stops whatever would run, load, or send something else', async () => {
    const { page } = await pages.editor();
    for (const [directive, attempt] of Object.entries(ATTEMPTS)) {
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
      expect(page.url()).toMatch(/editor\.html$/);
    }
    await page.evaluate(() => (window.violations = []));
  });
});
