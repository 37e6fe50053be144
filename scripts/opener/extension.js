// `npm start` wants a model open in a window that has never run before. A file named in the window's
// address or on its command line opens before extensions are known, as "binary"; an extension does
// not come too early.
const vscode = require('vscode');

exports.activate = async function activate() {
  const file = process.env.QUANTSCOPE_OPEN;
  if (!file || vscode.window.tabGroups.all.some((group) => group.tabs.length > 0)) return;
  const viewType = file.endsWith('.index.json') ? 'indexEditor' : 'safetensorsEditor';
  await vscode.commands.executeCommand(
    'vscode.openWith',
    vscode.Uri.file(file),
    `quantscope.${viewType}`,
    { preview: false },
  );
};
