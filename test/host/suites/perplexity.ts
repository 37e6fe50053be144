import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { makeNodeHost } from '../../../src/host/node/nodeHost.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { perplexityOn } from '../../support/jobs.js';
import {
  EXTENSION_ID,
  closeAllTabs,
  comparisonTabs,
  sampleUri,
  scratchFolder,
  untilTabs,
} from './support.js';

const FORMATS = ['int4-asym:g128', 'afp4-e2m1:g128'];
const WINDOWS = 2;

function measure(argument: unknown): Thenable<ComparisonReport> {
  return vscode.commands.executeCommand<ComparisonReport>('quantscope.measurePerplexity', argument);
}

/** What the job gives that the command line runs, too. */
async function measureByJob(formats: readonly string[], textFile?: string) {
  const assetsFolder = path.join(
    vscode.extensions.getExtension(EXTENSION_ID)!.extensionPath,
    'dist',
  );
  const pool = await WorkerPool.create(makeNodeHost(assetsFolder), { threads: 1 });
  try {
    const checkpoint = await openLocalModel(sampleUri().fsPath);
    const request = { formats, windows: WINDOWS, textFile };
    return await perplexityOn(pool, checkpoint, request);
  } finally {
    await pool.dispose();
  }
}

suite('Measure Perplexity…', () => {
  let scratch: string;

  suiteSetup(() => {
    scratch = scratchFolder();
  });

  suiteTeardown(() => fs.rmSync(scratch, { recursive: true, force: true }));

  teardown(closeAllTabs);

  test('with formats and windows named, gives the numbers of the job, beside the weights', async () => {
    const report = await measure({ resource: sampleUri(), formats: FORMATS, windows: WINDOWS });
    const job = await measureByJob(FORMATS);
    assert.equal(report.text?.windows, WINDOWS);
    assert.deepEqual(report.baseline.perplexity, job.baseline.perplexity);
    assert.deepEqual(
      report.formats.map(({ id, perplexity }) => [id, perplexity]),
      job.formats.map(({ id, perplexity }) => [id, perplexity]),
    );
    assert.deepEqual(report.notes, job.notes);
    for (const { summary, tensors } of report.formats) {
      assert.ok(summary.sqnrDb > 15 && summary.sqnrDb < 25);
      assert.equal(tensors.length, 28);
    }
    assert.equal(comparisonTabs().length, 1);
  });

  test('takes the folder for its model, and the same request from what was scored', async () => {
    const folder = vscode.Uri.joinPath(sampleUri(), '..');
    const target = { formats: FORMATS, windows: WINDOWS };
    const first = await measure({ ...target, resource: sampleUri() });
    const again = await measure({ ...target, resource: folder });
    assert.deepEqual(again.formats, first.formats);
    assert.deepEqual(again.baseline, first.baseline);
    assert.equal(comparisonTabs().length, 1, 'both are the same panel');
  });

  test('begins every window with BOS where that is asked for, and says so', async () => {
    const target = { resource: sampleUri(), formats: [], windows: WINDOWS };
    const plain = await measure(target);
    const every = await measure({ ...target, bosEveryWindow: true });
    assert.deepEqual([plain.text?.bos, every.text?.bos], ['first', 'every']);
    assert.notEqual(every.baseline.perplexity!.value, plain.baseline.perplexity!.value);
  });

  test('without formats, runs the unquantized model alone', async () => {
    const report = await measure({ resource: sampleUri(), formats: [], windows: WINDOWS });
    const job = await measureByJob([]);
    assert.deepEqual(report.formats, []);
    assert.deepEqual(report.baseline.perplexity, job.baseline.perplexity);
    await untilTabs(() => comparisonTabs().find(({ label }) => /^Perplexity: /.test(label)));
  });

  test('measures on the text named, and each tensor alone where asked to', async () => {
    const text = path.join(scratch, 'words.txt');
    fs.writeFileSync(
      text,
      'The union of these states was made by the people of the states. '.repeat(80),
    );
    const [tensor, other] = ['q_proj', 'k_proj'].map(
      (name) => `model.layers.3.self_attn.${name}.weight`,
    );
    const report = await measure({
      resource: sampleUri(),
      tensors: [tensor, other],
      formats: [FORMATS[0]],
      text,
      windows: WINDOWS,
      perLayer: true,
    });
    assert.equal(report.text?.source, text);
    const [format] = report.formats;
    assert.equal(format.tensors.length, 2);
    const alone = format.tensors.map(({ perplexityAlone }) => perplexityAlone);
    assert.ok(alone.every((each) => each && each.value > 1 && each.klDivergence! > 0));
    assert.ok(
      format.perplexity!.klDivergence! > Math.min(...alone.map((each) => each!.klDivergence!)),
    );
  });

  test('says why a model cannot be run, and compares its weights all the same', async () => {
    const bare = path.join(scratch, 'bare');
    fs.mkdirSync(bare);
    fs.copyFileSync(sampleUri().fsPath, path.join(bare, 'model.safetensors'));
    await assert.rejects(
      async () => measure({ resource: vscode.Uri.file(bare), formats: [FORMATS[0]], windows: 2 }),
      /there is no config\.json/,
    );
    fs.copyFileSync(
      path.join(sampleUri().fsPath, '..', 'config.json'),
      path.join(bare, 'config.json'),
    );
    await assert.rejects(
      async () => measure({ resource: vscode.Uri.file(bare), formats: [FORMATS[0]], windows: 2 }),
      /tokenizer\.json: there is no such file/,
    );
    assert.equal(comparisonTabs().length, 1);
  });
});
