import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { checkModel } from '../../jobs/check/checkModel.js';
import { describeForInspection, listProblems } from '../../jobs/inspection/describeModel.js';
import { inspectModel } from '../../jobs/inspection/inspectModel.js';
import { listModel, selectForInspection } from '../../jobs/inspection/listModel.js';
import { nameArchitecture, summarizeConfig } from '../../model/config/configSummary.js';
import { formatFindingsJson } from '../../reports/findings.js';
import { formatJsonParts } from '../../reports/jsonParts.js';
import { formatReportJson } from '../../reports/present.js';
import { runInSlices } from '../../storage/slices.js';
import type { InspectArguments } from '../arguments.js';
import { formatFindings } from '../checkText.js';
import { formatInspection, TERMINAL_BOUNDS } from '../inspectText.js';
import type { InspectedTensor } from '../inspectText.js';
import { openModel } from '../openModel.js';
import { refuseChanged } from '../../storage/inputs.js';
import { withPool } from './session.js';
import type { Session } from './session.js';

/**
 * `inspect`: what is in a model, and on request what its weights are like or what is wrong with it.
 * @returns false where a check found errors
 */
export async function inspect(args: InspectArguments, session: Session): Promise<boolean> {
  const model = await openModel(args.path, session);
  for (const { message } of model.notes) session.warn(message);
  if (args.check) return check(args, model, session);
  await list(args, model, session);
  return true;
}

async function check(
  args: InspectArguments,
  model: OpenedModel,
  session: Session,
): Promise<boolean> {
  const findings = await withPool(session, args, (pool) =>
    checkModel(pool, model, session.options),
  );
  await refuseChanged(model.inputs, model.fileSystem);
  await session.write(
    args.json ? formatFindingsJson(findings) : formatFindings(model.path, findings),
  );
  return findings.every(({ severity }) => severity !== 'error');
}

async function list(args: InspectArguments, model: OpenedModel, session: Session): Promise<void> {
  const selection = selectForInspection(model, args.tensorGlobs);
  const tensors = await runInSlices(selection, session.options);
  if (args.stats) return inspectWeights(args, model, tensors, session);
  if (args.json) return session.write(formatJsonParts(describeHeaders(model, tensors)));
  return writeList(model, tensors, undefined, session);
}

async function inspectWeights(
  args: InspectArguments,
  model: OpenedModel,
  selected: readonly ModelTensor[],
  session: Session,
): Promise<void> {
  const request = {
    tensors: args.tensorGlobs && [...args.tensorGlobs],
    stats: true,
    groupSize: args.groupSize,
  };
  const report = await withPool(session, args, (pool) =>
    inspectModel(pool, model, request, session.options),
  );
  await refuseChanged(model.inputs, model.fileSystem);
  if (args.json) return session.write(formatReportJson(report));
  const { tensors } = report as { readonly tensors: readonly InspectedTensor[] };
  return writeList(model, selected, tensors, session);
}

async function writeList(
  model: OpenedModel,
  selected: readonly ModelTensor[],
  inspected: readonly InspectedTensor[] | undefined,
  session: Session,
): Promise<void> {
  const { path, files, config, metadata } = model;
  const listing = await runInSlices(listModel(model, selected, TERMINAL_BOUNDS), session.options);
  const about = {
    path,
    files: files.length,
    metadata,
    architecture: nameArchitecture(config),
    configSummary: summarizeConfig(config),
  };
  const statistics = inspected && new Map(inspected.map(({ name, stats }) => [name, stats]));
  await session.write(formatInspection(about, listing, statistics));
}

/** The document of `inspect --json` without statistics; its tensors are described as they are written. */
function describeHeaders(model: OpenedModel, selected: readonly ModelTensor[]) {
  return {
    files: model.files.map(({ source: _, ...file }) => file),
    metadata: model.metadata,
    problems: listProblems(model),
    tensors: describeEach(selected),
  };
}

function* describeEach(tensors: readonly ModelTensor[]) {
  for (const tensor of tensors) yield describeForInspection(tensor);
}
