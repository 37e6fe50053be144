import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { recordedLog } from '../recordedLog.js';
import { closeAllTabs, sampleUri } from './support.js';

const DOWN_PROJ = 'model.layers.0.mlp.down_proj.weight';
/** This browser has no adapter. */
const REASON = /webgpu was asked for, but no GPU can be used \(No GPU is found .*webgpuPackage\)/;

function setBackend(backend: string | undefined): Thenable<void> {
  const { Global } = vscode.ConfigurationTarget;
  return vscode.workspace.getConfiguration('quantscope').update('backend', backend, Global);
}

suite('The setting of the backend', () => {
  teardown(closeAllTabs);
  suiteTeardown(() => setBackend(undefined));

  const run = (command: string, more: object): Thenable<ComparisonReport> =>
    vscode.commands.executeCommand<ComparisonReport>(`quantscope.${command}`, {
      resource: sampleUri(),
      formats: ['int4-asym'],
      ...more,
    });

  test('is followed, and what became of it stands in the output channel', async () => {
    await setBackend('webgpu');
    const from = recordedLog.length;
    const { timings } = await run('quantizeLayer', { tensors: [DOWN_PROJ] });
    assert.equal(timings.backend, 'wasm');
    assert.match(timings.backendReason ?? '', REASON);
    const lines = recordedLog.slice(from);
    assert.deepEqual(lines, [
      `Quantscope info: Comparison: Runs on wasm: ${timings.backendReason}.`,
    ]);
  });

  test('is followed by perplexities, too', async () => {
    await setBackend('webgpu');
    const from = recordedLog.length;
    await run('measurePerplexity', { windows: 1 });
    const lines = recordedLog.slice(from).filter((line) => line.includes(' Perplexity: '));
    assert.equal(lines.length, 1);
    assert.match(lines[0], /^Quantscope info: Perplexity: Runs on wasm: webgpu was asked for/);
  });

  test('leaves no line where there was nothing to choose', async () => {
    await setBackend('wasm');
    const from = recordedLog.length;
    const { timings } = await run('quantizeLayer', { tensors: [DOWN_PROJ] });
    assert.equal(timings.backend, 'wasm');
    assert.equal(timings.backendReason, undefined);
    assert.deepEqual(recordedLog.slice(from), []);
  });
});
