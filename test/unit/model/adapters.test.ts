import { describe, expect, it } from 'vitest';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openModel } from '../../../src/model/openModel.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { bytesFile, folderOf } from '../../support/safetensorsFiles.js';

const PEFT = 'base_model.model.model.layers.0.self_attn.q_proj';

async function openFolder(files: Readonly<Record<string, string | Uint8Array>>) {
  return openModel(await folderOf(files), localFileSystem);
}

describe('an adapter', () => {
  it('is called one, with what it is added to, and has no perplexity', async () => {
    const model = await openFolder({
      'adapter_model.safetensors': bytesFile({
        [`${PEFT}.lora_A.weight`]: 1,
        [`${PEFT}.lora_B.weight`]: 1,
      }),
      'adapter_config.json': '{"peft_type": "LORA", "r": 8, "base_model_name_or_path": "a/base"}',
      'config.json': '{"model_type": "llama"}',
    });
    expect(model.adapter).toMatch(/this is a LoRA adapter of rank 8, .*"a\/base"/);
    expect(model.notes.map(({ message }) => message)).toContain(model.adapter);
    await expect(planLanguageModel(model)).rejects.toThrow('this is a LoRA adapter of rank 8');
  });

  it.each([
    ['LoRA', ['lora_unet_x.alpha', 'lora_unet_x.lora_down.weight', 'lora_unet_x.lora_up.weight']],
    ['LoRA', [`${PEFT}.lora_A.default.weight`, `${PEFT}.lora_B.default.weight`]],
    ['LoRA', ['unet.to_q.lora.down.weight', 'unet.to_q.lora.up.weight']],
    ['LoKr', ['lycoris_x.lokr_w1', 'lycoris_x.lokr_w2', 'lycoris_x.alpha']],
    ['LoHa', ['lora_te_x.hada_w1_a', 'lora_te_x.hada_w1_b', 'lora_te_x.alpha']],
    ['IA3', [`${PEFT}.ia3_l`]],
  ])('is known as %s by the names of %j', async (kind, names) => {
    const file = bytesFile(Object.fromEntries(names.map((name) => [name, 1])), {
      ss_network_dim: '4',
    });
    const { adapter } = await openFolder({
      'x.safetensors': file,
      // That of another adapter.
      'adapter_config.json': '{"peft_type": "OFT", "r": 8}',
    });
    expect(adapter).toContain(`${kind} adapter of rank 4`);
  });

  it('is not what holds the weights of its model as well', async () => {
    const names = ['model.norm.weight', `${PEFT}.base_layer.weight`, 'lm_head.weight', 'alpha'];
    const factors = [`${PEFT}.lora_A.weight`, `${PEFT}.lora_B.weight`];
    const file = bytesFile(Object.fromEntries([...names, ...factors].map((name) => [name, 1])));
    const { adapter, notes } = await openFolder({ 'model.safetensors': file });
    expect({ adapter, notes }).toEqual({ adapter: undefined, notes: [] });
  });
});
