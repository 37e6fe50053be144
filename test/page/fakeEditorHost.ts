import type { EditorHostApi, GroupRangesRequest } from '../../src/reports/editorPage.js';
import type { CheckpointReport } from '../../src/reports/reports.js';
import type { Handlers } from '../../src/rpc/rpc.js';
import { sampleCheckpoint } from '../support/sampleModel.js';
import { sampleDetails, sampleGroupRanges } from '../support/sampleStatistics.js';

const NOTHING_CHECKED = { files: 0, tensors: 0, elements: 0, bytes: 0, checks: 0 };

/** A call the page made, other than reads. */
export type Call = readonly [name: keyof EditorHostApi, argument: unknown];

export interface FakeEditorHost {
  readonly handlers: Handlers<EditorHostApi>;
  readonly calls: Call[];
  /** Group ranges asked for, in order. */
  readonly ranges: GroupRangesRequest[];
}

/** An extension host with the sample open, or another checkpoint; `overrides` replace its answers. */
export function fakeEditorHost(
  checkpoint: CheckpointReport = sampleCheckpoint,
  overrides: Partial<Handlers<EditorHostApi>> = {},
): FakeEditorHost {
  const calls: Call[] = [];
  const ranges: GroupRangesRequest[] = [];
  const record =
    (name: keyof EditorHostApi) =>
    (argument: unknown): Promise<void> => {
      calls.push([name, argument]);
      return Promise.resolve();
    };
  const handlers: Handlers<EditorHostApi> = {
    open: async () => ({ checkpoint, groupSize: 128, isChecked: false }),
    reload: async () => ({ checkpoint, groupSize: 128, isChecked: false }),
    tensorDetails: async ({ tensor, bins }) => sampleDetails(tensor, bins),
    async groupRanges(request: GroupRangesRequest) {
      ranges.push(request);
      return sampleGroupRanges(request);
    },
    quantizeLayer: record('quantizeLayer'),
    copyText: record('copyText'),
    openWholeModel: record('openWholeModel'),
    setGroupSize: record('setGroupSize'),
    checkIntegrity: async () => ({ findings: [], checked: NOTHING_CHECKED }),
    cancelCheck: record('cancelCheck'),
    copyFindings: record('copyFindings'),
    saveFindings: record('saveFindings'),
    ...overrides,
  };
  return { handlers, calls, ranges };
}
