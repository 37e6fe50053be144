import { describe, expect, test } from 'vitest';
import { makeModelTitle } from '../../../src/reports/modelTitle.js';

describe('modelTitle', () => {
  test.each([
    ['/home/me/Qwen3-0.6B/model.safetensors', 'Qwen3-0.6B/model.safetensors'],
    ['/m/Llama/model-00001-of-00002.safetensors', 'Llama/model-00001-of-00002.safetensors'],
    ['/m/Llama/model.safetensors.index.json', 'Llama'],
    ['/home/me/Downloads/tiny-int4.safetensors', 'tiny-int4.safetensors'],
    ['/m/modelling.safetensors', 'modelling.safetensors'],
    ['/model.safetensors', 'model.safetensors'],
    ['/c:/model.safetensors', 'model.safetensors'],
    [
      '/h/hub/models--Qwen--Qwen3-0.6B/snapshots/0a1b2c/model.safetensors.index.json',
      'Qwen/Qwen3-0.6B',
    ],
    [
      '/h/hub/models--gpt2--medium/snapshots/0a1b2c/model.safetensors',
      'gpt2/medium/model.safetensors',
    ],
    ['/h/snapshots/0a1b2c/model.safetensors', '0a1b2c/model.safetensors'],
  ])('%s is called %s', (path, title) => {
    expect(makeModelTitle(path)).toBe(title);
  });
});
