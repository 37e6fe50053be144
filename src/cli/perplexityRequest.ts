import type { PerplexitySettings } from '../jobs/formatPerplexity.js';
import { cacheFolder } from './cacheFolder.js';
import type { Session } from './commands/session.js';
import type { PerplexityOptions } from './perplexityOptions.js';

/** What a job is asked for, from what the command line says. */
export function perplexitySettings(
  { cache, ...options }: PerplexityOptions,
  session: Session,
): PerplexitySettings {
  return { ...options, cacheFolder: cache ? cacheFolder() : undefined, warn: session.warn };
}
