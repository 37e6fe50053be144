import type { OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { readQuantizationConfig } from '../../model/logicalTensors.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import type { ByteSource } from '../../storage/byteSource.js';
import { letOthersRun } from '../../storage/slices.js';
import type { StoredPart } from '../../storage/sourceRef.js';
import type { CheckSubject, Finding, StoredName } from './check.js';
import { CHECKS } from './checks/index.js';
import { examineModel } from './examineModel.js';

/** Findings of one check that are listed; the rest are counted. */
const MAX_LISTED = 100;

/**
 * Reads a model and looks for what is known to go wrong with checkpoints.
 * @returns findings in the order of the checks, within one in the order of the files
 * @throws CheckpointError where a file cannot be read
 */
export async function checkModel(
  pool: WorkerPool,
  model: OpenedModel,
  options: CallOptions = {},
): Promise<Finding[]> {
  const { folder, config, fileSystem, files } = model;
  const quantization = await readQuantizationConfig(folder, config, fileSystem);
  const examined = await examineModel(pool, model, options);
  const open = new Map<StoredPart['source'], Promise<ByteSource>>();
  const read = async ({ source, offset }: StoredPart, first: number, length: number) => {
    const file = files.find((each) => each.source === source);
    if (!file) throw new Error('A part lies in no file of its model');
    if (!open.has(source)) open.set(source, fileSystem.open(file.path));
    const bytes = new Uint8Array(Math.ceil(length / 8) * 8).subarray(0, length);
    await (await open.get(source)!).read(offset + first, bytes);
    return bytes;
  };
  const subject: CheckSubject = {
    ...{ model, quantization, read, stored: listStored(model) },
    ...examined,
  };
  try {
    const findings: Finding[] = [];
    for (const { id, source, find } of CHECKS) {
      // The editor's host runs this beside other work; a million tensors take a while to go through.
      await letOthersRun();
      throwIfCancelled(options.signal);
      let found = 0;
      for await (const fault of find(subject)) {
        throwIfCancelled(options.signal);
        if (++found <= MAX_LISTED) findings.push({ id, ...fault, source });
      }
      if (found > MAX_LISTED) {
        const { file, severity } = findings.at(-1)!;
        const message = `and ${found - MAX_LISTED} more of this kind`;
        findings.push({ id, severity, file, message, source });
      }
    }
    return findings;
  } finally {
    const sources = await Promise.allSettled(open.values());
    for (const each of sources) if (each.status === 'fulfilled') await each.value.close();
  }
}

/** All tensors of the files. */
function listStored({ tensors }: OpenedModel): Map<string, StoredName> {
  const stored = new Map<string, StoredName>();
  for (const tensor of tensors) {
    const { file } = tensor;
    for (const part of tensor.storage?.parts ?? [tensor]) stored.set(part.name, { ...part, file });
  }
  return stored;
}
