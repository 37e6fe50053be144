import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { answers, run } from './process.mjs';
import { step, UserError } from './terminal.mjs';

/** @param {string} folder @returns {string[]} */
function subfolders(folder) {
  try {
    return fs.readdirSync(folder).map((name) => path.join(folder, name));
  } catch {
    return [];
  }
}

/** Browsers that playwright downloaded, newest first. */
function playwrightBrowsers() {
  const home = os.homedir();
  const folder =
    process.env.PLAYWRIGHT_BROWSERS_PATH ??
    {
      darwin: path.join(home, 'Library/Caches/ms-playwright'),
      win32: path.join(process.env.LOCALAPPDATA ?? home, 'ms-playwright'),
    }[/** @type {string} */ (process.platform)] ??
    path.join(home, '.cache/ms-playwright');
  const programs = [
    'chrome',
    'chrome.exe',
    'Chromium.app/Contents/MacOS/Chromium',
    'Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing',
  ];
  return subfolders(folder)
    .filter((name) => /chromium-\d+$/.test(name))
    .sort((a, b) => Number(b.split('-').at(-1)) - Number(a.split('-').at(-1)))
    .flatMap(subfolders)
    .flatMap((build) => programs.map((program) => path.join(build, program)));
}

/** Places where a Chromium may be, best first; plain names are looked up on the PATH. */
function candidates() {
  const linux = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const mac = ['Google Chrome', 'Chromium', 'Microsoft Edge'].map(
    (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
  );
  const windows = ['ProgramFiles', 'ProgramFiles(x86)', 'LOCALAPPDATA'].flatMap((variable) => {
    const folder = process.env[variable];
    return folder
      ? ['Google/Chrome/Application/chrome.exe', 'Microsoft/Edge/Application/msedge.exe'].map(
          (exe) => path.join(folder, exe),
        )
      : [];
  });
  const system = { darwin: mac, win32: windows }[/** @type {string} */ (process.platform)] ?? linux;
  return [...system, ...playwrightBrowsers()];
}

/** @param {string} program a path, or a name on the PATH */
function resolveProgram(program) {
  const places = path.isAbsolute(program)
    ? [program]
    : (process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, program));
  return places.find((file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile());
}

/**
 * The Chromium to use: QUANTSCOPE_CHROMIUM, or the first one found that starts.
 * @returns {string | undefined} absolute path
 */
export function findChromium() {
  const chosen = process.env.QUANTSCOPE_CHROMIUM;
  if (chosen) {
    const file = resolveProgram(chosen);
    if (!file) throw new UserError(`QUANTSCOPE_CHROMIUM: no such program: ${chosen}`);
    return file;
  }
  for (const candidate of candidates()) {
    const file = resolveProgram(candidate);
    // Some distributions put a stub at `chromium-browser` that only names another package. On
    // Windows, `--version` opens a window instead of answering.
    if (file && (process.platform === 'win32' || answers(file))) return file;
  }
  return undefined;
}

/** Debian proper: on Ubuntu the package of this name is a stub for a snap. */
function isDebian() {
  try {
    return /^ID=debian$/m.test(fs.readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/** Text is drawn as empty boxes, or not at all, where no font is installed. */
function hasFonts() {
  const folders = ['/usr/share/fonts', '/usr/local/share/fonts', path.join(os.homedir(), '.fonts')];
  return folders.some((folder) => {
    try {
      return fs
        .readdirSync(folder, { recursive: true })
        .some((name) => /\.(ttf|otf|ttc)$/i.test(String(name)));
    } catch {
      return false;
    }
  });
}

async function installWithApt() {
  const packages = ['chromium', ...(hasFonts() ? [] : ['fonts-dejavu-core'])];
  const options = { quiet: true, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  await step(`Installing ${packages.join(' and ')} (apt-get, about 100 MB)`, async () => {
    await run('apt-get', ['update'], options);
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], options);
  });
}

/**
 * Finds a Chromium, installing Debian's where that is possible.
 * @returns {Promise<string>} absolute path of the program
 */
export async function ensureChromium() {
  let program = findChromium();
  if (!program && isDebian() && process.getuid?.() === 0) {
    await installWithApt();
    program = findChromium();
  }
  if (program) return program;
  const how = isDebian()
    ? '`apt-get install chromium` as root'
    : '`npx playwright-core install --with-deps chromium`';
  throw new UserError(
    `No Chromium, Chrome or Edge found. Install one (${how}), or name one in QUANTSCOPE_CHROMIUM.`,
  );
}
