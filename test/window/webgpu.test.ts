import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { runNode } from '../../scripts/lib/process.mjs';
import { editorPage, layerRow, quantize, readComparison } from '../../scripts/lib/quantscope.mjs';
import type { ComparisonReport } from '../../src/reports/reports.js';
import { MODEL, TestWindow } from './support.js';

const FORMATS = ['int4-asym', 'afp4-e2m1'];
const MAX_RELATIVE = 1e-5;

// SwiftShader's adapter: it computes on the CPU, and so has to be asked for.
const open = TestWindow.use(
  (folder) => {
    fs.mkdirSync(path.join(folder, '.vscode'), { recursive: true });
    const settings = { 'quantscope.backend': 'webgpu' };
    fs.writeFileSync(path.join(folder, '.vscode', 'settings.json'), JSON.stringify(settings));
  },
  ['--enable-unsafe-webgpu'],
);

describe('the GPU of the window', () => {
  test('quantizes a layer in a worker of the page, with the numbers of threads', async () => {
    await open.workbench.openFile(MODEL);
    const editor = await editorPage(open.workbench);
    const page = await quantize(open.workbench, layerRow(editor, 'layers.1'), FORMATS, 128);
    const status = page.getByTestId('comparison-status');
    await status.getByText('webgpu').waitFor();
    await status.getByText('asked for; SwiftShader').waitFor();

    const model = path.join(open.folder, MODEL);
    const named = FORMATS.flatMap((format) => ['--format', `${format}:g128`]);
    const options = ['--tensor', 'model.layers.1.*_proj.weight', ...named, '--backend', 'wasm'];
    const output = await runNode(
      [inRoot('dist', 'cli.js'), 'compare', model, ...options, '--json', '--quiet'],
      { quiet: true },
    );
    const report = JSON.parse(output) as ComparisonReport;
    const shown = await readComparison(page);
    for (const { id, summary } of report.formats) {
      const { mse, bitsPerWeight } = { ...shown[id] };
      expect(Math.abs(Number(mse.value) / summary.mse - 1), id).toBeLessThan(MAX_RELATIVE);
      expect(bitsPerWeight, id).toBeDefined();
    }
    await open.screenshot('webgpu');
  });

  test('breaks no rule of the page', () => {
    expect(open.complaints).toEqual([]);
  });
});
