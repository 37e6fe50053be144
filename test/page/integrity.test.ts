import { expect, it } from 'vitest';
import type { CheckReport } from '../../src/reports/checkReport.js';
import { makeCancelledError } from '../../src/rpc/rpc.js';
import { sampleCheckpoint } from '../support/sampleModel.js';
import { fakeEditorHost } from './fakeEditorHost.js';
import { describePages } from './pageSuite.js';
import type { Pages } from './pageSuite.js';
import { sampleFindings } from './sampleFindings.js';

const UP = 'model.layers.3.mlp.up_proj.weight';
const CLEAN: CheckReport = {
  findings: [],
  checked: { files: 1, tensors: 38, elements: 3_672_320, bytes: 7_344_640, checks: 27 },
};

const hostWith = (report: CheckReport) =>
  fakeEditorHost(sampleCheckpoint, { checkIntegrity: async () => report });

/** A page with these findings shown, asked for with its button. */
async function checked(pages: Pages, report: CheckReport) {
  const opened = await pages.editor(hostWith(report), { height: 900 });
  const { page } = opened;
  await page.getByRole('button', { name: 'Check Integrity' }).click();
  const panel = page.getByTestId('integrity');
  await panel.getByText('Checked:', { exact: false }).waitFor();
  return { ...opened, panel };
}

describePages('the integrity list', (pages) => {
  it('is not there, and nothing is read, until it is asked for', async () => {
    let asked = 0;
    const host = fakeEditorHost(sampleCheckpoint, {
      checkIntegrity: async () => {
        asked++;
        return CLEAN;
      },
    });
    const { page, remote } = await pages.editor(host);
    await page.getByRole('tree').waitFor();
    expect(await page.getByTestId('integrity').count()).toBe(0);
    expect(asked).toBe(0);
    await remote.checkIntegrity(null);
    await page.getByTestId('integrity').getByText('Nothing was found.').waitFor();
    expect(asked).toBe(1);
  });

  it('says that nothing was found, and of what', async () => {
    const { panel } = await checked(pages, CLEAN);
    expect(await panel.getByRole('status').innerText()).toBe('Nothing was found.');
    expect(await panel.locator('.integrity-checked').innerText()).toBe(
      'Checked: 38 tensors, 3,672,320 weights (7.00 MB) in 1 file, for 27 kinds of fault.',
    );
    expect(await panel.getByRole('grid').count()).toBe(0);
    expect(await panel.getByRole('button', { name: 'Copy as CSV' }).count()).toBe(0);
  });

  it('lists severity, finding, tensor and message in words, as text', async () => {
    const { page, panel } = await checked(pages, sampleFindings());
    expect(await panel.getByRole('status').innerText()).toBe('2 errors, 1 warning, 1 note');
    const rows = await panel
      .locator('tbody tr')
      .evaluateAll((all) =>
        all.map((row) =>
          [...row.querySelectorAll('td')].map((cell) => (cell as HTMLElement).innerText.trim()),
        ),
      );
    expect(rows).toEqual([
      ['Error', 'weights-not-finite', UP, '3 NaN of 180224 weights'],
      ['Error', 'part-missing', 'lost.<b>scales</b>⟨U+202E⟩', 'its <img src=x> scales are missing'],
      ['Warning', 'tensor-all-zero', 'model.norm.weight', 'all 128 weights are zero'],
      ['Note', 'f32-holds-bf16', 'model.safetensors', 'F32 weight matrices hold BF16 values'],
    ]);
    expect(await panel.locator('tbody :is(b, img)').count()).toBe(0);
    // Severities differ in shape, too.
    const shapes = await panel
      .locator('.severity')
      .evaluateAll((icons) => icons.map((icon) => icon.innerHTML.replaceAll(/<!--.*?-->/g, '')));
    expect(new Set(shapes).size).toBe(3);
    // What the list of tensors does not have is no way to it.
    expect(await panel.locator('tbody button').allInnerTexts()).toEqual([UP, 'model.norm.weight']);
    const report = panel.getByRole('link', { name: 'part-missing' });
    expect(await report.getAttribute('href')).toBe('https://example.org/missing');
    await page.getByRole('tree').waitFor();
  });

  it('reveals a tensor by a click, the part of a weight as the weight', async () => {
    const report = sampleFindings();
    const [first, ...rest] = report.findings;
    const part = { ...first, tensor: 'model.layers.3.mlp.up_proj.qzeros' };
    const { page, panel } = await checked(pages, { ...report, findings: [part, ...rest] });
    await panel.getByRole('button', { name: 'model.layers.3.mlp.up_proj.qzeros' }).click();
    await page.locator(`[data-tensor="${UP}"].selected`).waitFor();
    await page.getByTestId('details').getByRole('heading', { name: 'up_proj' }).waitFor();
  });

  it('works by keyboard alone', async () => {
    const { page } = await pages.editor(hostWith(sampleFindings()), { height: 900 });
    await page.getByRole('tree').waitFor();
    await page.getByRole('button', { name: 'Check Integrity' }).focus();
    await page.keyboard.press('Enter');
    const panel = page.getByTestId('integrity');
    await panel.getByRole('grid').waitFor();
    await expect.poll(() => focusedText(page)).toContain('Integrity');
    const cell = () => page.evaluate(() => document.activeElement?.getAttribute('data-cell'));
    for (let tabs = 0; (await cell()) !== '0:0'; tabs++) {
      expect(tabs, 'Tab never reaches the findings').toBeLessThan(8);
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await expect.poll(cell).toBe('2:0');
    await page.keyboard.press('Enter');
    await page.locator('[data-tensor="model.norm.weight"].selected').waitFor();
    // The place in the findings is kept, for the next of them.
    expect(await cell()).toBe('2:0');
    await page.keyboard.press('F6');
    await expect.poll(() => page.locator('[role="tree"]:focus').count()).toBe(1);
    await page.keyboard.press('F6');
    await page.keyboard.press('F6');
    await expect.poll(() => focusedText(page)).toContain('Integrity');
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('[role="tree"]:focus').count()).toBe(1);
  });

  it('shows progress, and ends the check where it runs', async () => {
    let end: (error: Error) => void = () => undefined;
    const host = fakeEditorHost(sampleCheckpoint, {
      checkIntegrity: (_, { progress }) => {
        progress({ done: 1, total: 4, message: 'model.norm.weight' });
        return new Promise((_resolve, reject) => (end = reject));
      },
      cancelCheck: async () => end(makeCancelledError()),
    });
    const { page } = await pages.editor(host);
    await page.getByRole('button', { name: 'Check Integrity' }).click();
    const panel = page.getByTestId('integrity');
    const bar = panel.getByRole('progressbar', { name: 'Reading all weights' });
    await expect.poll(() => bar.getAttribute('aria-valuenow')).toBe('25');
    await panel.getByText('model.norm.weight').waitFor();
    expect(await panel.getByRole('button', { name: 'Close the integrity list' }).count()).toBe(0);
    await panel.getByRole('button', { name: 'Cancel' }).click();
    await panel.getByText('Cancelled.').waitFor();
    await panel.getByRole('button', { name: 'Retry' }).waitFor();
  });

  it('says why a check failed', async () => {
    const text = 'model.safetensors: the file changed while the job ran';
    const host = fakeEditorHost(sampleCheckpoint, {
      checkIntegrity: () => Promise.reject(new Error(text)),
    });
    const { page } = await pages.editor(host);
    await page.getByRole('button', { name: 'Check Integrity' }).click();
    const alert = page.getByTestId('integrity').getByRole('alert');
    expect(await alert.locator('.message-text').innerText()).toBe(text);
  });

  it('is copied, saved and closed', async () => {
    const { page, panel, host } = await checked(pages, sampleFindings());
    await panel.getByRole('button', { name: 'Copy as CSV' }).click();
    await panel.getByRole('button', { name: 'Save JSON' }).click();
    await expect
      .poll(() => host.calls.map(([name]) => name))
      .toEqual(['copyFindings', 'saveFindings']);
    await panel.getByRole('button', { name: 'Close the integrity list' }).click();
    await expect.poll(() => panel.count()).toBe(0);
    await expect.poll(() => page.locator('[role="tree"]:focus').count()).toBe(1);
  });

  it('is there again in a rebuilt page where the host has a check, and only there', async () => {
    const first = await checked(pages, sampleFindings());
    const state = first.state();
    const open = (isChecked: boolean) =>
      fakeEditorHost(sampleCheckpoint, {
        open: async () => ({ checkpoint: sampleCheckpoint, groupSize: 128, isChecked }),
        checkIntegrity: async () => sampleFindings(),
      });
    const again = await pages.editor(open(true), { state });
    await again.page.getByTestId('integrity').getByRole('grid').waitFor();
    const none = await pages.editor(open(false), { state });
    await none.page.getByRole('tree').waitFor();
    expect(await none.page.getByTestId('integrity').count()).toBe(0);
  });

  it('keeps the list of tensors in sight however many findings there are', async () => {
    const { findings, checked: read } = sampleFindings();
    const many = Array.from({ length: 700 }, (_, i) => ({ ...findings[i % findings.length] }));
    const { page, panel } = await checked(pages, { findings: many, checked: read });
    expect(await panel.locator('tbody tr').count()).toBe(200);
    await panel.getByRole('button', { name: 'Show more of 700 findings' }).click();
    await expect.poll(() => panel.locator('tbody tr').count()).toBe(400);
    expect((await page.getByRole('tree').boundingBox())!.height).toBeGreaterThan(250);
  });
});

function focusedText(page: Awaited<ReturnType<Pages['editor']>>['page']): Promise<string> {
  return page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
}
