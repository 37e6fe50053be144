import { openCheckpoint } from '../safetensors/index.js';
import type { Checkpoint } from '../safetensors/types.js';
import type { Session } from './commands/session.js';

/** Opens what PATH names; what is wrong with a part of it is warned of, the rest is usable. */
export async function openModel(path: string, session: Session): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(path);
  for (const { message } of checkpoint.problems) session.warn(message);
  return checkpoint;
}
