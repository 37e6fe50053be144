import type { OpenedModel } from '../checkpoint/types.js';
import { openLocalModel } from '../model/node/openLocalModel.js';
import type { Session } from './commands/session.js';

/** Opens what PATH names; what is wrong with a part of it is warned of, the rest is usable. */
export async function openModel(path: string, session: Session): Promise<OpenedModel> {
  const model = await openLocalModel(path, session.options);
  for (const { message } of model.problems) session.warn(message);
  return model;
}
