import type { CheckReport } from '../../src/reports/checkReport.js';

/** Findings of each severity; texts among them as a hostile file may have them. */
export function sampleFindings(): CheckReport {
  const file = 'model.safetensors';
  const up = 'model.layers.3.mlp.up_proj.weight';
  return {
    findings: [
      {
        ...{ severity: 'error', id: 'weights-not-finite', file, tensor: up, listedAs: up },
        ...{ message: '3 NaN of 180224 weights', source: 'https://example.org/nan' },
      },
      {
        ...{ severity: 'error', id: 'part-missing', file, tensor: 'lost.<b>scales</b>\u202e' },
        ...{ message: 'its <img src=x> scales are missing' },
        source: 'https://example.org/missing',
      },
      {
        ...{ severity: 'warning', id: 'tensor-all-zero', file, tensor: 'model.norm.weight' },
        ...{ listedAs: 'model.norm.weight', message: 'all 128 weights are zero' },
        source: 'https://example.org/zero',
      },
      {
        ...{ severity: 'info', id: 'f32-holds-bf16', file },
        ...{ message: 'F32 weight matrices hold BF16 values', source: 'https://example.org/bf16' },
      },
    ],
    checked: { files: 1, tensors: 38, elements: 3_672_320, bytes: 7_344_640, checks: 27 },
  };
}
