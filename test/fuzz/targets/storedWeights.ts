import { runAtOnce } from '../../../src/storage/slices.js';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { openModel } from '../../../src/model/openModel.js';
import { parseHeader } from '../../../src/safetensors/header.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import {
  ALL_TYPES,
  fileOf as fileOfParts,
  SCENES,
  type ScenePart,
} from '../../support/storedWeightScenes.js';
import { decodeWeights } from '../decodeWeights.js';
import { bytesOf, textOf, withPart, type Input } from '../input.js';
import { filesOf, FOLDER } from '../memoryFiles.js';
import { mutateBytes } from '../mutateBytes.js';
import { mutateJson } from '../mutateJson.js';
import type { Random } from '../random.js';
import { promiseOneLine, refusal, type FuzzTarget } from '../target.js';

const FILE = 'model.safetensors';
const CONFIG = 'config.json';

/** Parts are kept small, so that many are tried. */
const MOST_PART_ELEMENTS = 1 << 12;

const DIMENSIONS = [0, 1, 2, 3, 7, 8, 16, 31, 32, 33, 64, 65];

const WORDS = [
  ...['"quantization_config"', '"quant_method"', '"bits"', '"group_size"', '"sym"', '"desc_act"'],
  ...[
    '"gptq"',
    '"awq"',
    '"fp8"',
    '"compressed-tensors"',
    '"bitsandbytes"',
    '"mxfp4"',
    '"modelopt"',
  ],
  ...[
    '"pack-quantized"',
    '"nvfp4-pack-quantized"',
    '"num_bits"',
    '"weight_block_size"',
    '"zero_point"',
  ],
  ...[
    '0',
    '-1',
    '1',
    '2',
    '3',
    '4',
    '5',
    '8',
    '16',
    '1e9',
    '1.5',
    '128',
    'null',
    'true',
    '[]',
    '[128,128]',
  ],
];

type Parts = Record<string, ScenePart>;

/** The tensors of a file; none where it is damaged. */
function partsOf(bytes: Uint8Array): Parts | undefined {
  try {
    const { tensors } = runAtOnce(parseHeader(bytes, bytes.length, FILE));
    return Object.fromEntries(
      tensors.map(({ name, dtype, shape, offset, bytes: size }) => [
        name,
        { dtype, shape, bytes: bytes.slice(offset, offset + size) },
      ]),
    );
  } catch {
    return undefined;
  }
}

/** Changes one of the parts: leaves it out, takes that of another weight, or has it say something else. */
function changeOnePart(parts: Parts, random: Random, donor: Parts): Parts {
  const names = Object.keys(parts);
  if (names.length === 0) return donor;
  const name = random.pick(names);
  const { [name]: changed, ...others } = parts;
  const { dtype, shape, bytes = new Uint8Array() } = changed;
  switch (random.below(6)) {
    case 0:
      return others;
    case 1:
      return { ...others, ...donor };
    case 2: {
      const other = random.pick(Object.keys(donor));
      return { ...parts, [name]: donor[other] };
    }
    case 3: {
      const dimensions = [...shape];
      if (dimensions.length > 0 && random.chance(0.8)) {
        dimensions[random.below(dimensions.length)] = random.pick(DIMENSIONS);
      } else if (random.chance(0.5)) dimensions.push(random.pick(DIMENSIONS));
      else dimensions.reverse();
      const elements = dimensions.reduce((product, size) => product * size, 1);
      if (elements > MOST_PART_ELEMENTS) return parts;
      return { ...parts, [name]: { dtype, shape: dimensions, bytes } };
    }
    case 4:
      return { ...parts, [name]: { dtype: random.pick(ALL_TYPES), shape, bytes } };
    default: {
      const filled = random.chance(0.5)
        ? bytes.map(() => random.below(256))
        : bytes.slice().fill(random.pick([0, 0x7f, 0x80, 0xff]));
      return { ...parts, [name]: { dtype, shape, bytes: filled } };
    }
  }
}

/** Weights in every known layout, whose parts or configuration do not fit together: decoded, or refused by name. */
export const storedWeights: FuzzTarget = {
  name: 'stored-weights',
  seeds: () =>
    SCENES.map(({ parts, quantization }): Input => [
      { name: FILE, bytes: fileOfParts(parts) },
      {
        name: CONFIG,
        bytes: new TextEncoder().encode(JSON.stringify({ quantization_config: quantization })),
      },
    ]),
  mutate(input, random, pool) {
    if (random.chance(0.25)) {
      const donors = [textOf(random.pick(pool), CONFIG)];
      const config = mutateJson(textOf(input, CONFIG), random, { donors, words: WORDS });
      return withPart(input, CONFIG, config);
    }
    const bytes = bytesOf(input, FILE);
    const donor = bytesOf(random.pick(pool), FILE);
    const parts = partsOf(bytes);
    const others = partsOf(donor);
    if (!parts || !others || Object.keys(others).length === 0 || random.chance(0.05)) {
      return withPart(input, FILE, mutateBytes(bytes, random, donor));
    }
    let changed = parts;
    for (let count = 1 + random.below(3); count > 0; count--) {
      changed = changeOnePart(changed, random, others);
    }
    return withPart(input, FILE, fileOfParts(changed));
  },
  async check(input) {
    const sources = openStoredSources();
    try {
      const model = await openModel(`${FOLDER}/${FILE}`, filesOf(input));
      for (const { message } of [...model.problems, ...model.notes]) promiseOneLine(message);
      for (const [name, reason] of model.undecodable) promiseOneLine(`${name}: ${reason}`);
      describeModel(model);
      await decodeWeights(model, sources);
      return true;
    } catch (error) {
      return refusal(error, CheckpointError);
    } finally {
      await sources.close();
    }
  },
};
