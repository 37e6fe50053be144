import { expect, it } from 'vitest';
import { fakeEditorHost } from './fakeEditorHost.js';
import { describePages } from './pageSuite.js';
import { sampleCheckpoint } from '../support/sampleModel.js';
import { waitForCharts } from './waits.js';

const DOWN = 'model.layers.0.mlp.down_proj.weight';

describePages('the editor page', (pages) => {
  it('shows the error alone when the file cannot be read, with Copy and Reload', async () => {
    const text = 'broken.safetensors: byte 8: the header is not JSON';
    const { page, host } = await pages.editor(
      fakeEditorHost(sampleCheckpoint, {
        open: async () => {
          throw new Error(text);
        },
      }),
    );
    const alert = page.getByRole('alert');
    expect(await alert.locator('.message-text').innerText()).toBe(text);
    expect(await page.getByRole('tree').count()).toBe(0);
    await alert.getByRole('button', { name: 'Copy' }).click();
    await expect.poll(() => host.calls).toEqual([['copyText', { text }]]);
    await alert.getByRole('button', { name: 'Reload' }).click();
    await page.getByRole('tree').waitFor();
    expect(await alert.count()).toBe(0);
  });

  it('offers to reload a file that changed, and keeps the selection', async () => {
    const grown = { ...sampleCheckpoint, totalElements: 4_000_000 };
    const { page, remote } = await pages.editor(
      fakeEditorHost(sampleCheckpoint, {
        reload: async () => ({ checkpoint: grown, groupSize: 128, isChecked: false }),
      }),
    );
    await waitForCharts(page, 3);
    const title = await page.getByTestId('details').getByRole('heading', { level: 2 }).innerText();
    await remote.fileChanged(null);
    await page.getByText('The file has changed on disk.').waitFor();
    await page.getByRole('button', { name: 'Reload' }).click();
    await page.getByText('4,000,000 weights').waitFor();
    expect(await page.getByText('The file has changed on disk.').count()).toBe(0);
    expect(await page.getByTestId('details').getByRole('heading', { level: 2 }).innerText()).toBe(
      title,
    );
  });

  it('reveals a tensor for the host, even one that the filter hides', async () => {
    const { page, remote } = await pages.editor(undefined, { height: 400 });
    await page.getByTestId('filter').fill('layers.1');
    await page.locator('[data-layer="layers.1"]').waitFor();
    await remote.revealTensor({ tensor: 'model.layers.3.mlp.up_proj.weight' });
    const row = page.locator('[data-tensor="model.layers.3.mlp.up_proj.weight"].selected');
    await row.waitFor();
    await expect
      .poll(() =>
        row.evaluate((element) => {
          const view = element.closest('.tree')!.getBoundingClientRect();
          const { top, bottom } = element.getBoundingClientRect();
          return top >= view.top - 1 && bottom <= view.bottom + 1;
        }),
      )
      .toBe(true);
  });

  it('looks the same after VS Code destroyed and rebuilt it', async () => {
    const first = await pages.editor(undefined, { height: 500 });
    const { page } = first;
    await page.locator('[data-layer="layers.2"]').click();
    await page.locator('[data-tensor="model.layers.2.self_attn.k_proj.weight"]').click();
    await waitForCharts(page, 3);
    await page.getByRole('radio', { name: 'linear' }).click();
    await page.locator('qs-group-bands').getByText('View as Table').first().click();
    await page.getByRole('separator').focus();
    await page.keyboard.press('ArrowLeft');
    await page.locator('.tree').evaluate((tree) => (tree.scrollTop = 66));
    await expect.poll(first.state).toMatchObject({ scroll: 66, split: 36 });

    const second = await pages.editor(undefined, { height: 500, state: first.state() });
    await waitForCharts(second.page, 2);
    const look = (target: typeof page) =>
      target.evaluate(() => ({
        rows: [...document.querySelectorAll('.tree-row')].map((row) =>
          row.getAttribute('aria-label'),
        ),
        selected: document.querySelector('.tree-row.selected')?.getAttribute('data-tensor'),
        scroll: document.querySelector('.tree')!.scrollTop,
        list: document.querySelector('.list')!.clientWidth,
        scale: document.querySelector('[aria-checked=true]')?.textContent?.trim(),
        tables: document.querySelectorAll('.data-table').length,
      }));
    await expect.poll(() => look(second.page)).toEqual(await look(page));
    expect((await look(page)).selected).toBe('model.layers.2.self_attn.k_proj.weight');
  });

  it('puts the details under the list in a narrow pane and keeps every control', async () => {
    const { page } = await pages.editor(undefined, { width: 480 });
    await waitForCharts(page, 3);
    const list = (await page.locator('.list').boundingBox())!;
    const details = (await page.getByTestId('details').boundingBox())!;
    expect(details.y).toBeGreaterThanOrEqual(list.y + list.height - 1);
    expect(Math.abs(details.width - list.width)).toBeLessThan(2);
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
    expect(wide).toBe(false);
    await page.getByRole('separator').focus();
    await page.keyboard.press('ArrowDown');
    await expect
      .poll(async () => (await page.locator('.list').boundingBox())!.height)
      .toBeGreaterThan(list.height);
    // Six statistics, the rest on demand.
    const shown = () => page.locator('.stat:visible').count();
    expect(await shown()).toBe(6);
    await page.getByRole('button', { name: '10 more statistics' }).click();
    await expect.poll(shown).toBe(16);
    for (const name of ['View as Table', 'Zoom in', 'Copy Name']) {
      await page.getByRole('button', { name }).first().scrollIntoViewIfNeeded();
    }
  });

  it('lists files, metadata and problems', async () => {
    const checkpoint = {
      ...sampleCheckpoint,
      architecture: undefined,
      configSummary: undefined,
      problems: Array.from({ length: 14 }, (_, i) => ({
        file: `model-0000${i}.safetensors`,
        message: `model-0000${i}.safetensors: missing`,
      })),
    };
    const { page } = await pages.editor(fakeEditorHost(checkpoint));
    const header = page.locator('qs-checkpoint-header');
    await header.getByText('model-00000.safetensors: missing').waitFor();
    await header.getByText('2 more problems like these.').waitFor();
    expect(await header.locator('.checkpoint-name').innerText()).toBe('model.safetensors');
    await header.getByRole('button', { name: 'one file, header 4,088 B' }).click();
    await header.getByRole('rowheader', { name: 'format' }).waitFor();
    expect(await header.getByRole('cell', { name: '7,348,736' }).count()).toBe(1);
  });

  it('says so when a model has more tensors than are listed', async () => {
    const { page } = await pages.editor(
      fakeEditorHost({ ...sampleCheckpoint, unlistedTensors: 1_027_622 }),
    );
    await page.getByText(/Only the first 38 tensors are listed: .* 1,027,622 more/).waitFor();
    await page.getByText('38 of 1,027,660 tensors', { exact: false }).waitFor();
  });

  it('opens the whole model of a shard', async () => {
    const host = fakeEditorHost({ ...sampleCheckpoint, isPartOfModel: true });
    const { page } = await pages.editor(host);
    await page.getByRole('button', { name: 'Open the whole model' }).click();
    await expect.poll(() => host.calls).toEqual([['openWholeModel', null]]);
  });

  it('moves nothing for those who want no motion', async () => {
    const { page } = await pages.editor(undefined, { reducedMotion: true });
    await waitForCharts(page, 3);
    const moving = await page.evaluate(
      () =>
        [...document.querySelectorAll('#app *')].filter((element) => {
          const style = getComputedStyle(element);
          const lasts = (times: string) => times.split(',').some((time) => parseFloat(time) > 0);
          return lasts(style.transitionDuration) || lasts(style.animationDuration);
        }).length,
    );
    expect(moving).toBe(0);
  });

  it('selects on first sight a weight of the first layer, and nothing on later ones', async () => {
    const { page, state } = await pages.editor();
    await page.locator('[data-tensor="model.layers.0.self_attn.q_proj.weight"].selected').waitFor();
    expect(state()).toMatchObject({ expanded: ['layers.0'] });
    const later = await pages.editor(undefined, { state: { expanded: [] } });
    await later.page.getByText('Select a tensor or a layer').waitFor();
    expect(await later.page.locator(`[data-tensor="${DOWN}"]`).count()).toBe(0);
  });
});
