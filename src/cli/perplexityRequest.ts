import type { PerplexitySettings } from '../jobs/perplexity/measurement.js';
import { cacheFolder } from './cacheFolder.js';
import type { PerplexityOptions } from './perplexityOptions.js';

/** What a job is asked for, from what the command line says. */
export function perplexitySettings({ cache, ...options }: PerplexityOptions): PerplexitySettings {
  return { ...options, cacheFolder: cache ? cacheFolder() : undefined };
}
