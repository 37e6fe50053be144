import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import {
  closeAllTabs,
  comparisonTabs,
  sampleUri,
  scratchFolder,
  untilTabs,
  writeZeros,
} from './support.js';

const COMMAND = 'quantscope.compareWith';

suite('Compare with Another Checkpoint…', () => {
  let scratch: string;

  suiteSetup(() => {
    scratch = scratchFolder();
  });

  suiteTeardown(() => fs.rmSync(scratch, { recursive: true, force: true }));

  teardown(closeAllTabs);

  test('compares all tensors that both have, in a panel that says whose they are', async () => {
    const copy = path.join(scratch, 'copy.safetensors');
    fs.copyFileSync(sampleUri().fsPath, copy);
    const argument = { resource: sampleUri(), against: vscode.Uri.file(copy) };
    const report = await vscode.commands.executeCommand<ComparisonReport>(COMMAND, argument);
    const [{ id, summary }] = report.formats;
    assert.equal(report.formats.length, 1);
    assert.equal(id, 'copy.safetensors');
    assert.equal(summary.parameters, report.model.parameters);
    assert.equal(summary.maxAbsError, 0);
    const tab = await untilTabs(() => comparisonTabs()[0]);
    assert.match(tab.label, /^Comparison: .*model\.safetensors ↔ copy\.safetensors$/);
  });

  test('takes the other of two files that are selected in the explorer', async () => {
    const copy = path.join(scratch, 'other.safetensors');
    fs.copyFileSync(sampleUri().fsPath, copy);
    const uri = vscode.Uri.file(copy);
    const run = vscode.commands.executeCommand<ComparisonReport>(COMMAND, sampleUri(), [
      uri,
      sampleUri(),
    ]);
    const report = await run;
    assert.equal(report.against?.path, copy);
    await untilTabs(() => comparisonTabs()[0]);
  });

  test('says of a checkpoint of which nothing fits why there is no comparison', async () => {
    const zeros = path.join(scratch, 'zeros.safetensors');
    writeZeros(zeros, 'a.weight', [4, 4]);
    const argument = { resource: sampleUri(), against: vscode.Uri.file(zeros) };
    await assert.rejects(
      async () => vscode.commands.executeCommand(COMMAND, argument),
      /zeros\.safetensors: none of its tensors has the name and the shape of one of /,
    );
    // Its panel says so, too.
    await untilTabs(() => comparisonTabs()[0]);
  });
});
