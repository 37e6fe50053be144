import type { PerplexitySettings } from '../jobs/perplexity/measurement.js';
import { findCacheFolder } from './cacheFolder.js';
import type { PerplexityOptions } from './perplexityOptions.js';

/** What a job is asked for, from what the command line says. */
export function makePerplexitySettings({
  cache,
  ...options
}: PerplexityOptions): PerplexitySettings {
  return { ...options, cacheFolder: cache ? findCacheFolder() : undefined };
}
