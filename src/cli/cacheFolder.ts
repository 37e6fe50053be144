import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the operating system wants caches; `QUANTSCOPE_CACHE` overrides it. */
export function findCacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { QUANTSCOPE_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (QUANTSCOPE_CACHE) return QUANTSCOPE_CACHE;
  if (platform === 'win32') {
    return join(LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'quantscope', 'Cache');
  }
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'quantscope');
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'quantscope');
}
