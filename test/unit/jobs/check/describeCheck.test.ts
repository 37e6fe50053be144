import { expect, test } from 'vitest';
import { checkModel } from '../../../../src/jobs/check/checkModel.js';
import { CHECKS } from '../../../../src/jobs/check/checks/index.js';
import { describeCheck } from '../../../../src/jobs/check/describeCheck.js';
import { openModel } from '../../../../src/model/openModel.js';
import type { Finding } from '../../../../src/reports/checkReport.js';
import { formatFindingsCsv } from '../../../../src/reports/findings.js';
import { localFileSystem } from '../../../../src/storage/node/localFileSystem.js';
import { SAMPLE } from '../../../support/checkpoints.js';
import { sharedPool } from '../../../support/sharedPool.js';
import {
  floats,
  GPTQ,
  gptqTensors,
  MODULE,
  weights,
  writeModel,
} from '../../../support/quantizedWeights.js';

async function describeTensors(...model: Parameters<typeof writeModel>) {
  const opened = await openModel(await writeModel(...model), localFileSystem);
  return describeCheck(opened, await checkModel(await sharedPool(), opened));
}

test('a part of a weight is listed as the weight', async () => {
  const { findings } = await describeTensors(gptqTensors(0x88888888), {
    quantization_config: GPTQ,
  });
  expect(findings).toMatchObject([
    { id: 'gptq-zeros-version', tensor: `${MODULE}.qzeros`, listedAs: `${MODULE}.weight` },
  ]);
});

test('errors come first, and what names no tensor has none', async () => {
  const { findings } = await describeTensors({
    'model.layers.0.mlp.down_proj.weight': floats([2, 2], 0),
    'model.layers.1.mlp.down_proj.weight': floats([2, 2], [1, NaN, 2, 3]),
    'model.layers.2.mlp.down_proj.weight': weights([4, 4]),
  });
  expect(findings.map(({ severity, listedAs }) => [severity, listedAs])).toEqual([
    ['error', 'model.layers.1.mlp.down_proj.weight'],
    ['warning', 'model.layers.0.mlp.down_proj.weight'],
  ]);
});

test('what was checked is counted', async () => {
  const opened = await openModel(SAMPLE, localFileSystem);
  const { findings, checked } = describeCheck(opened, await checkModel(await sharedPool(), opened));
  expect(findings).toEqual([]);
  const checks = CHECKS.length;
  expect(checked).toEqual({ files: 1, tensors: 38, elements: 3672320, bytes: 7344640, checks });
});

test('texts are bounded, and a name too long to be sent is no way to a tensor', async () => {
  const opened = await openModel(SAMPLE, localFileSystem);
  const name = 'n'.repeat(100_000);
  const model = { ...opened, tensors: [{ ...opened.tensors[0], name }] };
  const finding: Finding = {
    ...{ severity: 'error', id: 'x', file: name, tensor: name, message: name, source: 'y' },
  };
  const [shown] = describeCheck(model, [finding]).findings;
  expect(JSON.stringify(shown).length).toBeLessThan(2000);
  expect(shown.listedAs).toBeUndefined();
});

test('findings are a line of CSV each, and no formula of a spreadsheet', () => {
  const tensor = '=HYPERLINK("x")\n\u202e';
  const finding: Finding = {
    ...{ severity: 'info', id: 'x', file: 'a,b', tensor, message: 'm', source: 's' },
  };
  const lines = formatFindingsCsv([finding]).split('\r\n');
  expect(lines).toEqual([
    'severity,finding,file,tensor,message,source',
    `info,x,"a,b","'=HYPERLINK(""x"")\\u{a}\\u{202e}",m,s`,
    '',
  ]);
});
