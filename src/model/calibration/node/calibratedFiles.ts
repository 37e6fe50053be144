import { join } from 'node:path';
import type { ModelTensor } from '../../../checkpoint/types.js';
import type { FixedRounding } from '../../../formats/activations.js';
import type { StepFinding } from '../../../methods/types.js';
import { writeSafetensors } from '../../../safetensors/node/writer.js';
import { makeFolder } from '../../../storage/node/makeFolder.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import type { TensorChange } from '../../evaluation/types.js';
import { openLocalModel } from '../../node/openLocalModel.js';
import type { CalibratedPart, CalibratedParts, CalibratedTensor, LinearFactors } from '../types.js';

const FINDINGS = 'findings';
const FACTORS = 'factors';
const ROUNDINGS = 'roundings';

/** A rounding as JSON has it. */
interface PlainRounding extends Pick<FixedRounding, 'levels'> {
  readonly scale: number | readonly number[];
}

function toPlain({ levels, scale }: FixedRounding): PlainRounding {
  return { levels, scale: typeof scale === 'number' ? scale : [...scale] };
}

function fromPlain({ levels, scale }: PlainRounding): FixedRounding {
  return { levels, scale: typeof scale === 'number' ? scale : Float32Array.from(scale) };
}

/**
 * Calibrated weights in a folder: a safetensors file of f32 for each part of a block, which appears whole or
 * not at all. The folder's name must say everything that the weights depend on.
 */
export class CalibratedFiles implements CalibratedParts {
  constructor(
    private readonly folder: string,
    private readonly signal?: AbortSignal,
  ) {}

  async get(block: number, part: string): Promise<CalibratedPart | undefined> {
    const path = this.pathOf(block, part);
    if ((await localFileSystem.kind(path)) !== 'file') return undefined;
    try {
      return await readPart(path);
    } catch {
      // Damaged, or none of ours: it is made again and replaced.
      return undefined;
    }
  }

  async put(
    block: number,
    part: string,
    tensors: readonly CalibratedTensor[],
    findings: readonly StepFinding[],
    {
      factors = new Map(),
      roundings = new Map(),
    }: Partial<Pick<CalibratedPart, 'factors' | 'roundings'>> = {},
  ): Promise<CalibratedPart> {
    await makeFolder(this.folder);
    const path = this.pathOf(block, part);
    const values = new Map(tensors.map((tensor) => [tensor.name, tensor.values]));
    const entries = tensors.map(({ name, shape }) => ({ name, shape, dtype: 'F32' as const }));
    const metadata = {
      [FINDINGS]: JSON.stringify(findings),
      [FACTORS]: writeFactors(factors),
      [ROUNDINGS]: JSON.stringify([...roundings].map(([name, each]) => [name, toPlain(each)])),
    };
    const { signal } = this;
    await writeSafetensors(
      path,
      entries,
      metadata,
      async ({ name }, sink) => {
        const { buffer, byteOffset, byteLength } = values.get(name)!;
        await sink.write(new Uint8Array(buffer, byteOffset, byteLength));
      },
      { signal },
    );
    return readPart(path);
  }

  private pathOf(block: number, part: string): string {
    return join(this.folder, `block-${block}-${part}.safetensors`);
  }
}

async function readPart(path: string): Promise<CalibratedPart> {
  const { tensors, metadata } = await openLocalModel(path);
  const changes = tensors.map((stored: ModelTensor): [string, TensorChange] => [
    stored.name,
    { stored },
  ]);
  return {
    changes: new Map(changes),
    factors: readFactors(metadata[FACTORS]),
    findings: JSON.parse(metadata[FINDINGS]) as StepFinding[],
    roundings: new Map(
      (JSON.parse(metadata[ROUNDINGS]) as [string, PlainRounding][]).map(([name, each]) => [
        name,
        fromPlain(each),
      ]),
    ),
  };
}

/** Factors of one linear map as JSON holds them: every f32 is a number that gives it back. */
interface WrittenFactors {
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
}

function writeFactors(factors: ReadonlyMap<string, LinearFactors>): string {
  const entries = [...factors].map(([name, { inputs, outputs }]): [string, WrittenFactors] => [
    name,
    { inputs: inputs && [...inputs], outputs: outputs && [...outputs] },
  ]);
  return JSON.stringify(entries);
}

function readFactors(text: string): ReadonlyMap<string, LinearFactors> {
  const entries = (JSON.parse(text) as [string, WrittenFactors][]).map(
    ([name, { inputs, outputs }]): [string, LinearFactors] => [
      name,
      {
        inputs: inputs && Float32Array.from(inputs),
        outputs: outputs && Float32Array.from(outputs),
      },
    ],
  );
  return new Map(entries);
}
