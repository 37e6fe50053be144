import fs from 'node:fs';
import { run } from './process.mjs';
import { say, step } from './terminal.mjs';

/** Where Linux distributions keep the library through which programs find GPUs. */
const FOLDERS = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
];

/** @returns {boolean} */
export function hasVulkan() {
  return FOLDERS.some((folder) => fs.existsSync(`${folder}/libvulkan.so.1`));
}

/**
 * Tests of WebGPU in Node need the Vulkan loader, and skip themselves without it: it is installed where that
 * is possible, and nothing fails where it is not.
 */
export async function ensureVulkan() {
  if (process.platform !== 'linux' || hasVulkan()) return;
  if (process.getuid?.() !== 0 || !fs.existsSync('/usr/bin/apt-get')) {
    say('Tests of WebGPU in Node are skipped: libvulkan1 is not installed.');
    return;
  }
  const options = { quiet: true, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  try {
    await step('Installing libvulkan1 (apt-get)', async () => {
      await run('apt-get', ['update'], options);
      await run('apt-get', ['install', '-y', '--no-install-recommends', 'libvulkan1'], options);
    });
  } catch {
    say('Tests of WebGPU in Node are skipped: libvulkan1 could not be installed.');
  }
}
