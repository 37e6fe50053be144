import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { describeLayers } from '../../src/jobs/inspection/describeLayers.js';
import type { CheckpointReport, TensorReport } from '../../src/reports/reports.js';
import { fakeEditorHost } from './fakeEditorHost.js';
import { describePages } from './pageSuite.js';
import { sampleCheckpoint } from '../support/sampleModel.js';

const Q_PROJ = 'model.layers.0.self_attn.q_proj.weight';

const tensorNames = (page: Page): Promise<(string | null)[]> =>
  page
    .getByTestId('tensor-row')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-tensor')));

/** Records what VS Code would make of each context menu event: the merged context data. */
async function recordMenus(page: Page): Promise<() => Promise<Record<string, unknown>[]>> {
  await page.evaluate(() => {
    const menus: unknown[] = ((window as never as { menus: unknown[] }).menus = []);
    window.addEventListener('contextmenu', (event) => {
      if (event.defaultPrevented) return;
      let context = {};
      for (
        let element = (event.target as Element).closest<HTMLElement>('[data-vscode-context]');
        element;
        element = element.parentElement?.closest<HTMLElement>('[data-vscode-context]') ?? null
      ) {
        context = { ...JSON.parse(element.dataset.vscodeContext!), ...context };
      }
      menus.push(context);
    });
  });
  return () => page.evaluate(() => (window as never as { menus: never[] }).menus);
}

/** A checkpoint of tensors that need no file. */
function listOf(tensors: readonly TensorReport[]): CheckpointReport {
  return {
    ...sampleCheckpoint,
    tensors,
    layers: describeLayers(tensors),
    totalBytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    totalElements: tensors.reduce((sum, { elements }) => sum + elements, 0),
  };
}

function tensor(name: string, layer = '', nameInLayer = name): TensorReport {
  return {
    ...sampleCheckpoint.tensors[2],
    name,
    layer,
    nameInLayer,
    shape: [64, 64],
    elements: 4096,
    bytes: 8192,
    role: 'other',
    quantizedByDefault: false,
    notQuantizable: undefined,
  };
}

/** The sample with its weights stored in parts. */
const stored = (label: string) => ({
  ...sampleCheckpoint,
  tensors: sampleCheckpoint.tensors.map((tensor) =>
    tensor.quantizedByDefault ? { ...tensor, storage: { label, parts: [] } } : tensor,
  ),
});

describePages('the list of tensors', (pages) => {
  it('shows the layers with the first one open, sizes and totals', async () => {
    const { page } = await pages.editor();
    const layers = page.getByTestId('layer-row');
    await layers.nth(3).waitFor();
    expect(await layers.evaluateAll((rows) => rows.map((row) => row.ariaLabel))).toEqual([
      'layers.0, 9 tensors, 1.50 MB',
      'layers.1, 9 tensors, 1.50 MB',
      'layers.2, 9 tensors, 1.50 MB',
      'layers.3, 9 tensors, 1.50 MB',
    ]);
    const names = await tensorNames(page);
    expect(names).toHaveLength(11);
    expect([names[0], names[1], names[10]]).toEqual([
      'model.embed_tokens.weight',
      Q_PROJ,
      'model.norm.weight',
    ]);
    const row = page.locator(`[data-tensor="${Q_PROJ}"]`);
    expect(await row.innerText()).toMatch(/self_attn\.q_proj\s+BF16\s+256 × 256\s+128 KB/);
    expect(await page.locator('.totals').innerText()).toBe(
      '38 tensors · 3,672,320 weights · 7.00 MB',
    );
    expect(await page.locator('.checkpoint').innerText()).toContain('LlamaForCausalLM');
  });

  it('has room for long names of layouts, and no more than short ones need', async () => {
    const widths = await Promise.all(
      ['BF16', 'compressed-tensors INT4 g128'].map(async (label) => {
        const { page } = await pages.editor(fakeEditorHost(stored(label)));
        const cell = page.locator('.tensor .tree-dtype', { hasText: label }).first();
        return cell.evaluate((each) => each.clientWidth);
      }),
    );
    expect(widths[0]).toBeLessThan(60);
    expect(widths[1]).toBeGreaterThan(110);
    const { page } = await pages.editor(fakeEditorHost(stored('GPTQ 4-bit g128')));
    const cell = page.locator('.tensor .tree-dtype', { hasText: 'GPTQ' }).first();
    const isCut = (each: Element) => each.scrollWidth > each.clientWidth;
    expect(await cell.evaluate(isCut)).toBe(false);
    const name = page.locator('.tensor .tree-name bdi', { hasText: 'q_proj' }).first();
    expect(await name.evaluate(isCut)).toBe(false);
  });

  it('filters by all words in name, type, shape and layer', async () => {
    const { page } = await pages.editor();
    const filter = page.getByTestId('filter');
    await filter.fill('LAYERS.2 proj 768 × 256');
    await page.locator('[data-tensor="model.layers.2.mlp.up_proj.weight"]').waitFor();
    expect(await tensorNames(page)).toEqual([
      'model.layers.2.mlp.gate_proj.weight',
      'model.layers.2.mlp.up_proj.weight',
    ]);
    expect(await page.locator('.totals').innerText()).toBe(
      '2 of 38 tensors · 393,216 weights · 768 KB',
    );
    expect(await page.getByTestId('layer-row').innerText()).toContain('2 of 9');

    await filter.fill('<b>nothing</b>');
    const empty = page.locator('.no-match');
    expect(await empty.innerText()).toMatch(/^No tensor matches ‘<b>nothing<\/b>’\./);
    await empty.getByRole('button', { name: 'Clear filter' }).click();
    await page.locator('[data-layer="layers.3"]').waitFor();
    expect(await filter.inputValue()).toBe('');
  });

  it('is walked, searched and selected by keyboard alone', async () => {
    const { page, host } = await pages.editor();
    const tree = page.getByRole('tree');
    await page.getByTestId('filter').focus();
    await page.keyboard.press('ArrowDown');
    const active = async (): Promise<string | null> => {
      const id = await tree.getAttribute('aria-activedescendant');
      return page.locator(`#${id}`).getAttribute('aria-label');
    };
    await page.keyboard.press('Home');
    expect(await active()).toMatch(/^model\.embed_tokens|^embed_tokens/);
    await page.keyboard.press('End');
    expect(await active()).toMatch(/^norm/);
    await page.keyboard.press('ArrowUp');
    expect(await active()).toMatch(/^layers\.3/);
    await page.keyboard.press('ArrowRight');
    await page.locator('[data-layer="layers.3"][aria-expanded="true"]').waitFor();
    await page.keyboard.press('ArrowRight');
    expect(await active()).toMatch(/^self_attn\.q_proj, BF16, 256 by 256, 128 KB/);
    await page.keyboard.type('mlp.d');
    expect(await active()).toMatch(/^mlp\.down_proj/);
    await page.keyboard.press('Enter');
    const details = page.getByTestId('details');
    await details.getByText('2,234,', { exact: false }).or(details.getByText('mlp.down')).waitFor();
    await page
      .locator('[data-tensor="model.layers.3.mlp.down_proj.weight"][aria-selected="true"]')
      .waitFor();
    await page.keyboard.press('ArrowLeft');
    expect(await active()).toMatch(/^layers\.3/);
    await page.keyboard.press('ArrowLeft');
    await page.locator('[data-layer="layers.3"][aria-expanded="false"]').waitFor();
    await page.keyboard.press('Control+c');
    await expect.poll(() => host.calls).toContainEqual(['copyText', { text: 'layers.3' }]);

    await page.keyboard.press('F6');
    expect(await details.evaluate((element) => element.contains(document.activeElement))).toBe(
      true,
    );
    await page.keyboard.press('Escape');
    expect(await tree.evaluate((element) => element === document.activeElement)).toBe(true);
  });

  it('folds parts of a weight that cannot be decoded beneath it, by pointer and by key', async () => {
    const layer = 'layers.0';
    const weight = `model.${layer}.self_attn.q_proj.weight`;
    const parts = ['q_weight', 'q_scale', 'q_groups'].map((end) => ({
      ...tensor(`model.${layer}.self_attn.q_proj.${end}`, layer, `self_attn.q_proj.${end}`),
      dtype: 'I32' as const,
      notQuantizable: `a part of "${weight}", stored as EXL2, which cannot be decoded: codes`,
      partOf: { weight, label: 'EXL2' },
    }));
    const norm = tensor(`model.${layer}.norm.weight`, layer, 'norm.weight');
    const { page, state } = await pages.editor(fakeEditorHost(listOf([...parts, norm])));
    const row = page.getByTestId('weight-row');
    await row.waitFor();
    expect(await row.getAttribute('aria-label')).toBe(
      'self_attn.q_proj, EXL2, not decoded, 3 parts, 24.0 KB',
    );
    expect(await row.getAttribute('aria-expanded')).toBe('false');
    expect(await row.locator('.row-menu').count()).toBe(0);
    expect(await tensorNames(page)).toEqual([norm.name]);

    await row.click();
    const part = page.locator(`[data-tensor="${parts[2].name}"][aria-level="3"]`);
    expect(await part.getAttribute('aria-label')).toMatch(/^q_groups, I32, 64 by/);
    expect(await tensorNames(page)).toEqual([...parts, norm].map(({ name }) => name));
    const details = page.getByTestId('details');
    expect(await details.locator('.details-facts').allInnerTexts()).toEqual([
      'EXL2, not decoded · 3 parts · 24.0 KB',
      `Each is ${parts[0].notQuantizable}.`,
    ]);
    expect(await details.locator('tbody th').allInnerTexts()).toEqual(
      parts.map(({ name }) => name),
    );

    await page.keyboard.press('ArrowRight');
    const active = page.locator('.tree-row.active');
    expect(await active.getAttribute('data-tensor')).toBe(parts[0].name);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowLeft');
    expect(await active.getAttribute('data-weight')).toBe(weight);
    await page.keyboard.press('ArrowLeft');
    await page.locator(`[data-weight="${weight}"][aria-expanded="false"]`).waitFor();
    expect(await tensorNames(page)).toEqual([norm.name]);
    await page.keyboard.press('ArrowLeft');
    expect(await active.getAttribute('data-layer')).toBe(layer);

    // From its details a part is shown in the tree, whatever is folded.
    await details.getByRole('button', { name: parts[1].name }).click();
    await page.locator(`[data-tensor="${parts[1].name}"][aria-selected="true"]`).waitFor();
    await expect.poll(state).toMatchObject({ expanded: [layer, weight] });
  });

  it('opens the menu of a row by right click, by key and by button, with what it is about', async () => {
    const { page } = await pages.editor();
    const row = page.locator(`[data-tensor="${Q_PROJ}"]`);
    await row.waitFor();
    const menus = await recordMenus(page);
    const expected = {
      webviewSection: 'tensor',
      tensor: Q_PROJ,
      tensors: [Q_PROJ],
      quantizable: true,
      preventDefaultContextMenuItems: true,
    };
    await row.click({ button: 'right' });
    await page.getByRole('tree').focus();
    await page.keyboard.press('Shift+F10');
    await page.keyboard.press('ContextMenu');
    await row.hover();
    await row.getByRole('button', { name: 'Actions' }).click();
    await expect.poll(menus).toEqual([expected, expected, expected, expected]);

    await page.locator('[data-layer="layers.2"]').click({ button: 'right' });
    await page.locator('[data-tensor="model.norm.weight"]').click({ button: 'right' });
    await expect
      .poll(async () => (await menus()).slice(4))
      .toEqual([
        {
          webviewSection: 'layer',
          layer: 'layers.2',
          quantizable: true,
          preventDefaultContextMenuItems: true,
        },
        { preventDefaultContextMenuItems: true },
      ]);
    expect(await page.locator('[data-tensor="model.norm.weight"] .row-menu').count()).toBe(0);
  });

  it('stays fast with 100,000 tensors', async () => {
    const tensors = Array.from({ length: 100_000 }, (_, i) => {
      const layer = `layers.${Math.floor(i / 1000)}`;
      const rest = `mlp.experts.${i % 1000}.up_proj.weight`;
      return tensor(`model.${layer}.${rest}`, layer, rest);
    });
    const expanded = Array.from({ length: 100 }, (_, i) => `layers.${i}`);
    const { page } = await pages.editor(fakeEditorHost(listOf(tensors)), { state: { expanded } });
    const rows = page.locator('.tree-row');
    await rows.first().waitFor();
    expect(await rows.count()).toBeLessThan(200);

    await page.getByRole('tree').focus();
    await page.keyboard.press('End');
    await page.locator('[data-tensor="model.layers.99.mlp.experts.999.up_proj.weight"]').waitFor();
    expect(await rows.count()).toBeLessThan(200);

    // The longest pause of the page while it is scrolled through, and while it filters.
    const pauses = await page.evaluate(async () => {
      const tree = document.querySelector('.tree')!;
      const frame = (): Promise<number> => new Promise(requestAnimationFrame);
      let last = await frame();
      const longest = async (act: () => void): Promise<number> => {
        act();
        const now = await frame();
        const pause = now - last;
        last = now;
        return pause;
      };
      let scroll = 0;
      for (let i = 0; i <= 60; i++) {
        const top = (i / 60) * tree.scrollHeight;
        scroll = Math.max(scroll, await longest(() => (tree.scrollTop = top)));
      }
      const input = document.querySelector<HTMLInputElement>('[data-testid=filter]')!;
      let filter = 0;
      for (const text of ['e', 'ex', 'layers.7', 'layers.7 experts.99', '']) {
        const act = (): void => {
          input.value = text;
          input.dispatchEvent(new Event('input'));
        };
        filter = Math.max(filter, await longest(act), await longest(() => undefined));
      }
      return { scroll, filter, rows: document.querySelectorAll('.tree-row').length };
    });
    expect(pauses.rows).toBeLessThan(200);
    expect(pauses.scroll).toBeLessThan(500);
    expect(pauses.filter).toBeLessThan(1000);
    await page.getByTestId('filter').fill('layers.42 experts.17.');
    await expect
      .poll(() => tensorNames(page))
      .toEqual(['model.layers.42.mlp.experts.17.up_proj.weight']);
  });

  it('shows hostile names as text, and tells them apart', async () => {
    const names = [
      '<img src=x onerror="window.hacked=1">',
      '<script>window.hacked=1</script>',
      '\u202Egnp.thgiew\u202C',
      'weight\u200B',
      'line\nbreak',
      '🦙.weight',
      '',
      '"quoted" & \'quoted\' `${window.hacked=1}`',
      '__proto__',
    ];
    const checkpoint = {
      ...listOf(names.map((name) => tensor(name))),
      metadata: { '<b>key</b>': '<img src=x onerror="window.hacked=1">', __proto__: 'x' },
      problems: [{ file: '<i>f</i>', message: '<img src=x onerror="window.hacked=1">' }],
      architecture: '<u>Arch</u>',
    };
    const { page } = await pages.editor(fakeEditorHost(checkpoint));
    const rows = page.getByTestId('tensor-row');
    await rows.nth(names.length - 1).waitFor();
    expect(await tensorNames(page)).toEqual(names);
    const texts = await rows.locator('bdi').allInnerTexts();
    expect(new Set(texts).size).toBe(names.length);
    expect(texts[0]).toBe(names[0]);
    expect(texts[2]).toBe('⟨U+202E⟩gnp.thgiew⟨U+202C⟩');
    expect(texts[6]).toBe('(empty name)');
    await page.locator('.checkpoint-files').click();
    await page.getByRole('rowheader', { name: '<b>key</b>' }).waitFor();
    const strange = page.locator('.tree img, .tree script, qs-checkpoint-header img, header u');
    expect(await strange.count()).toBe(0);
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
    const menus = await recordMenus(page);
    await rows.nth(7).click({ button: 'right' });
    await expect.poll(menus).toMatchObject([{ tensor: names[7] }]);
  });
});
