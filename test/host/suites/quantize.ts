import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import {
  closeAllTabs,
  comparisonTabs,
  EDITOR,
  sampleUri,
  scratchFolder,
  untilTabs,
  writeZeros,
} from './support.js';

const DOWN_PROJ = 'model.layers.0.mlp.down_proj.weight';

interface Target {
  readonly resource: vscode.Uri;
  readonly tensors?: readonly string[];
  readonly layer?: string;
  readonly formats: readonly string[];
}

function start(target: Target): Thenable<ComparisonReport> {
  return vscode.commands.executeCommand<ComparisonReport>('quantscope.quantizeLayer', target);
}

/** Runs to the end, and until its panel is among the tabs, so that it can be closed. */
async function quantize(target: Target): Promise<ComparisonReport> {
  const report = await start(target);
  await untilTabs(() => (comparisonTabs().length > 0 ? true : undefined));
  return report;
}

function sqnrOf(report: ComparisonReport): Record<string, number> {
  return Object.fromEntries(report.formats.map(({ id, summary }) => [id, summary.sqnrDb]));
}

suite('Quantize Layer…', () => {
  let scratch: string;

  suiteSetup(() => {
    scratch = scratchFolder();
  });

  suiteTeardown(() => fs.rmSync(scratch, { recursive: true, force: true }));

  teardown(closeAllTabs);

  test('with formats named, compares without asking and gives the report', async () => {
    const formats = ['int4-asym', 'fp4-e2m1', 'afp4-e2m1', 'dint4'];
    const report = await quantize({ resource: sampleUri(), tensors: [DOWN_PROJ], formats });
    assert.deepEqual(
      report.formats.map(({ id }) => id),
      formats.map((format) => `${format}:g128`),
    );
    for (const { id, bitsPerWeight, summary, tensors } of report.formats) {
      assert.deepEqual(
        tensors.map(({ name, shape }) => [name, shape]),
        [[DOWN_PROJ, [256, 768]]],
      );
      assert.ok(
        bitsPerWeight > 4 && bitsPerWeight < 4.5,
        `${id}: ${bitsPerWeight} bits per weight`,
      );
      assert.ok(summary.sqnrDb > 15 && summary.sqnrDb < 25, `${id}: ${summary.sqnrDb} dB`);
    }
    assert.equal(comparisonTabs().length, 1);
  });

  test('gives the same numbers again, in the same panel', async () => {
    const target = { resource: sampleUri(), tensors: [DOWN_PROJ], formats: ['nf4:g64'] };
    const first = await quantize(target);
    const second = await quantize(target);
    assert.deepEqual(sqnrOf(second), sqnrOf(first));
    assert.equal(comparisonTabs().length, 1);
  });

  test('takes a layer for the linear weights in it', async () => {
    const report = await quantize({
      resource: sampleUri(),
      layer: 'layers.1',
      formats: ['int4-sym'],
    });
    const names = report.formats[0].tensors.map(({ name }) => name);
    assert.equal(names.length, 7);
    assert.ok(names.every((name) => /^model\.layers\.1\..*_proj\.weight$/.test(name)));
  });

  test('more bits per weight leave less error', async () => {
    const report = await quantize({
      resource: sampleUri(),
      tensors: [DOWN_PROJ],
      formats: ['int3-asym', 'int4-asym'],
    });
    const [int3, int4] = report.formats;
    assert.ok(int4.summary.sqnrDb > int3.summary.sqnrDb + 4);
  });

  test("takes an open editor's model, but not as it was before its configuration changed", async () => {
    const folder = path.join(scratch, 'changing');
    fs.cpSync(path.dirname(sampleUri().fsPath), folder, { recursive: true });
    const resource = vscode.Uri.file(path.join(folder, 'model.safetensors'));
    await vscode.commands.executeCommand('vscode.openWith', resource, EDITOR);
    const target = { resource, tensors: [DOWN_PROJ], formats: ['int4-asym'] };
    const before = await quantize(target);
    const config = path.join(folder, 'config.json');
    const text = fs.readFileSync(config, 'utf8');
    const { architecture } = before.model;
    assert.ok(architecture && text.includes(architecture));
    fs.writeFileSync(config, text.replace(architecture, 'AnotherForCausalLM'));
    // At once, before any watch can have told.
    const after = await quantize(target);
    assert.equal(after.model.architecture, 'AnotherForCausalLM');
  });

  test('rejects with the reason when the file is malformed', async () => {
    const file = path.join(scratch, 'malformed.safetensors');
    fs.writeFileSync(file, Buffer.from('\x02\0\0\0\0\0\0\0[]', 'latin1'));
    await assert.rejects(
      async () => start({ resource: vscode.Uri.file(file), formats: ['int4-asym'] }),
      /malformed\.safetensors/,
    );
  });

  test('rejects a format and a tensor that do not exist', async () => {
    await assert.rejects(
      async () => start({ resource: sampleUri(), tensors: [DOWN_PROJ], formats: ['int99'] }),
      /int99/,
    );
    await assert.rejects(
      async () => start({ resource: sampleUri(), tensors: ['no.such'], formats: ['int4-asym'] }),
      /no\.such/,
    );
  });

  test('closing the panel cancels the job, and the next job works', async () => {
    const file = path.join(scratch, 'large.safetensors');
    // 2 GB of weights in seven formats: several seconds of work, were it not cancelled.
    writeZeros(file, 'layers.0.mlp.up_proj.weight', [32_768, 16_384]);
    const formats = ['int3-asym', 'int4-asym', 'int4-sym', 'fp4-e2m1', 'afp4-e2m1', 'nf4', 'dint4'];
    assert.equal(comparisonTabs().length, 0);
    const outcome = start({ resource: vscode.Uri.file(file), formats }).then(
      () => undefined,
      (error: unknown) => error,
    );
    const tab = await untilTabs(() => comparisonTabs()[0]);
    const closedAt = performance.now();
    await vscode.window.tabGroups.close(tab);
    const error = await outcome;
    const took = performance.now() - closedAt;
    assert.match(String(error), /cancel/i);
    assert.ok(took < 2000, `the job went on for ${Math.round(took)} ms`);

    const next = await quantize({
      resource: sampleUri(),
      tensors: [DOWN_PROJ],
      formats: ['int4-asym'],
    });
    assert.equal(next.formats.length, 1);
  });
});
