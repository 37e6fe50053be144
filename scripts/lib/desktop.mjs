import { inRoot } from './paths.mjs';
import { answers, run } from './process.mjs';

/** @param {readonly string[]} codeArguments */
function commandLine(codeArguments) {
  return process.platform === 'win32'
    ? /** @type {const} */ ([
        process.env.ComSpec ?? 'cmd.exe',
        ['/d', '/s', '/c', 'code', ...codeArguments],
      ])
    : /** @type {const} */ (['code', codeArguments]);
}

/**
 * Whether desktop VS Code can be started from here: there is a display, and `code` is the desktop's
 * command and not the one of a remote window, which knows no extension development.
 */
export function hasDesktop() {
  const { DISPLAY, WAYLAND_DISPLAY, VSCODE_IPC_HOOK_CLI, WSL_DISTRO_NAME } = process.env;
  const display =
    process.platform === 'darwin' ||
    process.platform === 'win32' ||
    Boolean(DISPLAY || WAYLAND_DISPLAY);
  if (!display || VSCODE_IPC_HOOK_CLI || WSL_DISTRO_NAME) return false;
  const [command, codeArguments] = commandLine(['--version']);
  return answers(command, codeArguments);
}

/**
 * Opens a model in desktop VS Code with the extension under development.
 * @param {import('./model.mjs').ModelPlace} model
 */
export async function openDesktop(model) {
  const [command, codeArguments] = commandLine([
    '--new-window',
    `--extensionDevelopmentPath=${inRoot()}`,
    `--extensionDevelopmentPath=${inRoot('scripts', 'opener')}`,
    model.folder,
  ]);
  await run(command, codeArguments, { env: { QUANTSCOPE_OPEN: model.file } });
}
